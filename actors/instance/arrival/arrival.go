package arrival

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// State says how far an arrival has come on its way to the journal and its sender's answer.
type State uint8

const (
	Unproposed State = iota // the message is in memory only
	Accepting               // the message is proposed on its own, and the journal has not answered yet
	Accepted                // the message is durable in the inbox or as a start row, and its sender has been answered
	Answered                // the sender has been answered, and nothing is left to do
)

// Arrival is a message that an instance has in memory, with the sender that waits for the answer. Exactly one of Start,
// Deliver, Result and Query is set.
type Arrival struct {
	Start   *Start
	Deliver *Deliver
	Result  *Result
	Query   *Query

	Message *turnpb.Message // as a turn consumes it; nil for a start, whose turn builds the message, and for a query
	Size    int             // bytes
	Since   time.Duration   // elapsed time when the message came, or when its wait began again
	State   State
	Seq     uint64 // seq of its inbox row, once accepted; 0 for a start
	// Deferred: the turn that has taken the message leaves it, so it must be accepted on its own. Proposed: that proposal has
	// been made.
	Deferred, Proposed bool
	// Runs: the answer comes with a turn that an attached consumer has run.
	Runs bool
	At   int // index among the instance's unanswered messages; negative: the sender has been answered
}

// Reply answers the sender.
func (a *Arrival) Reply(err error, repeated bool) {
	switch {
	case a.Start != nil:
		a.Start.reply(StartReply{Repeated: repeated, Runs: a.Runs, Err: err})
	case a.Deliver != nil:
		a.Deliver.reply(err)
	case a.Query != nil:
		a.Query.answer(err)
	default:
		a.Result.Reply(err)
	}
}

// New returns the arrival of a start, a delivery, a result or a query that came at now, and nil for any other message.
func New(msg any, now time.Duration) *Arrival {
	switch m := msg.(type) {
	case *Start:
		return &Arrival{Start: m, Size: len(m.StartRequest.Input) + len(m.StartRequest.ID), Since: now}
	case *Deliver:
		return &Arrival{Deliver: m, Message: m.Message, Size: len(m.Encoded), Since: now}
	case *Result:
		return &Arrival{Result: m, Message: m.Message, Size: len(m.Encoded), Since: now}
	case *Query:
		return &Arrival{Query: m, Size: len(m.Input), Since: now}
	}
	return nil
}

// NameOf returns the name by which code waits for the message, and false for a start or a message without a name.
func NameOf(a *Arrival) (replay.ArrivalName, bool) {
	if a.Message == nil {
		return replay.ArrivalName{}, false
	}
	return replay.NameOf(a.Message)
}

// Start asks for a new instance. reply gets nil once the start is durable, or an error: one that wraps
// persistence.ErrAlreadyExists, ErrBusy, ErrUncertain, or a limit.
type Start struct {
	StartRequest StartRequest
	Request      persistence.Request
	reply        func(StartReply)
}

// StartReply answers a start. Repeated: the request key was used before, and the journal repeats its first answer. Runs: a
// consumer has run the first turn already; if false, [Engine.Runs] tells whether there is a handler.
type StartReply struct {
	Repeated bool
	Runs     bool
	Err      error
}

// Deliver brings a message from outside. reply gets nil once it is durable (or was dropped by a terminal
// instance), or an error that wraps persistence.ErrNotFound, ErrLimit, ErrBusy or ErrUncertain.
type Deliver struct {
	Message *turnpb.Message
	Encoded []byte
	Topic   persistence.Topic
	Request persistence.Request
	reply   func(error)
}

// Result brings an activity's result from its slot.
type Result struct{ consumer.Result }

// NewResult returns the message that brings a result to its instance.
func NewResult(r consumer.Result) any { return &Result{r} }
