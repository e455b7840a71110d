package arrival

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// State says how far a held message has come.
type State uint8

const (
	Unproposed State = iota // in memory only
	Accepting               // proposed on its own; the result is awaited
	Accepted                // durable in the inbox or as a pending start, and its sender has been answered
	Answered                // nothing more to do
)

// Arrival is a message that an instance holds in memory, with the sender who waits for its answer. Exactly one of
// start, deliver and result is set.
type Arrival struct {
	Start   *Start
	Deliver *Deliver
	Result  *Result

	Message *turnpb.Message // as a turn consumes it; nil for a start, whose turn builds it
	Size    int
	Since   time.Duration // elapsed time
	State   State
	Seq     uint64 // its inbox row, once accepted; 0 for a start
	// Deferred: the turn that has taken it leaves it, and it is accepted on its own; proposed, once that was done.
	Deferred, Proposed bool
	// Runs: its answer comes with a turn that an attached consumer has run.
	Runs bool
	At   int // among the unanswered; negative: it has been answered
}

// Reply tells the sender.
func (a *Arrival) Reply(err error, repeated bool) {
	switch {
	case a.Start != nil:
		a.Start.reply(StartReply{Repeated: repeated, Runs: a.Runs, Err: err})
	case a.Deliver != nil:
		a.Deliver.reply(err)
	default:
		a.Result.Reply(err)
	}
}

// New wraps a counted message that brings something to hold; nil for any other.
func New(msg any, now time.Duration) *Arrival {
	switch m := msg.(type) {
	case *Start:
		return &Arrival{Start: m, Size: len(m.StartRequest.Input) + len(m.StartRequest.ID), Since: now}
	case *Deliver:
		return &Arrival{Deliver: m, Message: m.Message, Size: len(m.Encoded), Since: now}
	case *Result:
		return &Arrival{Result: m, Message: m.Message, Size: len(m.Encoded), Since: now}
	}
	return nil
}

// NameOf is the name that a message is waited for by; false for a start, and for a message without one.
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

// StartReply answers a start. Repeated: the request key was used before, and this is the first answer. Runs: the first
// turn has been run already; without it, [Engine.Runs] tells whether there is a handler.
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

// NewResult is the message that brings a result to its instance.
func NewResult(r consumer.Result) any { return &Result{r} }
