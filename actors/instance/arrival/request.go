package arrival

import (
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// StartRequest starts an instance.
type StartRequest struct {
	ID         string
	Name       string
	Version    string
	Input      []byte
	RequestKey string
	// DelayMs and ExecutionTimeoutMs are as in persistence.StartInstance.
	DelayMs, ExecutionTimeoutMs int64
}

// Delivery is a message from outside for one instance: a raised event, a queue message or a cancel.
type Delivery struct {
	ID         string
	Message    *turnpb.Message
	RequestKey string
}

// startIdentity returns what makes a start with a request key a repeat of another one; without a key it returns the zero
// value.
func startIdentity(r *StartRequest) persistence.Request {
	if r.RequestKey == "" {
		return persistence.Request{}
	}
	return persistence.Request{
		Key: r.RequestKey, Kind: persistence.RequestStart,
		Digest: persistence.DigestRequest(persistence.RequestStart, r.Name, r.Version, r.Input),
	}
}

// identity returns the topic of a message, and what makes a message with a request key a repeat of another one.
func identity(d *Delivery) (persistence.Topic, persistence.Request) {
	var topic persistence.Topic
	var name string
	var payload []byte
	r := persistence.Request{Key: d.RequestKey}
	switch k := d.Message.GetKind().(type) {
	case *turnpb.Message_EventRaised:
		r.Kind, name, payload = persistence.RequestEvent, k.EventRaised.GetName(), k.EventRaised.GetData()
		topic = persistence.TopicOf(uint8(turnpb.ArrivalKind_ARRIVAL_KIND_EVENT), name)
	case *turnpb.Message_QueueMessage:
		r.Kind, name, payload = persistence.RequestQueue, k.QueueMessage.GetName(), k.QueueMessage.GetData()
		topic = persistence.TopicOf(uint8(turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE), name)
	case *turnpb.Message_Cancel:
		r.Kind, payload = persistence.RequestCancel, []byte(k.Cancel.GetReason())
	}
	if r.Key == "" {
		return topic, persistence.Request{}
	}
	r.Digest = persistence.DigestRequest(r.Kind, name, "", payload)
	return topic, r
}

// NewStart returns the message of a start. reply is called once, from any goroutine, and must not block.
func NewStart(req StartRequest, reply func(StartReply)) any {
	return &Start{StartRequest: req, Request: startIdentity(&req), reply: reply}
}

// NewDeliver returns the message of a delivery. encoded is the encoded form of d.Message. reply is called once, from any
// goroutine, and must not block.
func NewDeliver(d *Delivery, encoded []byte, reply func(error)) any {
	m := &Deliver{Message: d.Message, Encoded: encoded, reply: reply}
	m.Topic, m.Request = identity(d)
	return m
}
