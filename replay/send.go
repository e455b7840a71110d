package replay

import (
	"bytes"
	"fmt"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// SendError is why a send reached no one, or that an awaited instance does not exist. It is the error of the future.
type SendError struct {
	Instance string
	Outcome  turnpb.SendOutcome
}

// Error names the receiver and says what became of the send.
func (e *SendError) Error() string {
	return fmt.Sprintf("send to instance %s: %s", brief(e.Instance), e.Outcome)
}

// Raise raises an event at another instance, or at this one. The future resolves when the event is in the receiver's inbox,
// and fails with a *SendError if it is not. A send that code gives up is made all the same.
func (c *Context) Raise(instance, name string, data []byte) *Future {
	return c.send(instance, turnpb.ArrivalKind_ARRIVAL_KIND_EVENT, "event", name, data)
}

// Enqueue puts a message into a queue of another instance, or of this one. Its future is as that of Raise.
func (c *Context) Enqueue(instance, queue string, data []byte) *Future {
	return c.send(instance, turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE, "queue", queue, data)
}

func (c *Context) send(instance string, kind turnpb.ArrivalKind, what, name string, data []byte) *Future {
	m := c.m
	m.enter(c.co)
	m.checkReceiver(instance)
	m.checkID(what+" name", name)
	m.checkPayload(what+" data", data)
	return m.emit(c.co, &Future{kind: opSend, name: name, input: bytes.Clone(data),
		more: &details{arrival: kind, instance: instance}})
}

// checkReceiver ends the turn if code names an instance that there cannot be. It may be a child with a derived id.
func (m *Machine) checkReceiver(instance string) {
	checkText("instance id", instance)
	m.checkLimit("instance id", len(instance), m.cfg.Limits.ChildIDBytes, "DerivedIDBytes")
	m.checkShape("instance id", instance)
}

func mismatchSend(e *turnpb.Event, s *turnpb.SendScheduled, f *Future) string {
	switch {
	case s.GetName() != f.name:
		return diffName
	case s.GetInstance() != f.details().instance:
		return diffInstance
	case s.GetKind() != f.details().arrival:
		return "one is an event, one a queue message"
	}
	return f.matchInput(e, s.GetData())
}

// sendEnded gives the code the outcome of a send.
func (m *Machine) sendEnded(e *turnpb.Event, ended *turnpb.SendEnded) *turnpb.Failure {
	source := e.GetSource()
	f := m.open.get(source)
	if bad := m.complete(e, opSend, nil, nil); bad != nil || f == nil || ended.GetOutcome() == turnpb.SendOutcome_SEND_OUTCOME_DELIVERED {
		return bad
	}
	f.err = &SendError{Instance: f.details().instance, Outcome: ended.GetOutcome()}
	return nil
}

func describeReceiver(kind turnpb.ArrivalKind, instance string) string {
	if kind == turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE {
		return " to a queue of instance " + brief(instance)
	}
	return " to instance " + brief(instance)
}
