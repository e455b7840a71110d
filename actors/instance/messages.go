package instance

import (
	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// What the activator carries to an instance. All are pointers and carry their own reply; reply functions are called
// once, from any goroutine, and must not block.

// startMsg asks for a new instance. reply gets nil once the start is durable, or an error: one that wraps
// persistence.ErrAlreadyExists, ErrBusy, ErrUncertain, or a limit.
type startMsg struct {
	req     StartRequest
	request persistence.Request
	reply   func(StartReply)
}

// StartReply answers a start. Repeated: the request key was used before, and this is the first answer. Runs: the first
// turn has been run already; without it, [Engine.Runs] tells whether there is a handler.
type StartReply struct {
	Repeated bool
	Runs     bool
	Err      error
}

// deliverMsg brings a message from outside. reply gets nil once it is durable (or was dropped by a terminal
// instance), or an error that wraps persistence.ErrNotFound, ErrLimit, ErrBusy or ErrUncertain.
type deliverMsg struct {
	message *turnpb.Message
	encoded []byte
	topic   persistence.Topic
	request persistence.Request
	reply   func(error)
}

// resultMsg brings an activity's result from its slot.
type resultMsg struct{ consumer.Result }

// NewResult is the message that brings a result to its instance.
func NewResult(r consumer.Result) any { return &resultMsg{r} }

// NewTold is the message that brings an action to its instance.
func NewTold(a *dispatch.Action) any {
	switch a.Kind {
	case dispatch.TellStart:
		return &pendingMsg{start: *a.Start, seq: a.Seq, Mark: a.Mark()}
	case dispatch.TellNudge:
		return &nudgeMsg{iid: a.IID, seq: a.Seq, Mark: a.Mark()}
	case dispatch.TellRetry:
		return &retryMsg{iid: a.IID, Mark: a.Mark()}
	default:
		return &timerMsg{key: a.Timer, again: a.Again, fresh: a.Fresh}
	}
}

// Messages of a partition's dispatcher.

// nudgeMsg says that the inbox of an incarnation has a row. An instance that holds it ignores the nudge.
type nudgeMsg struct {
	iid persistence.Incarnation
	seq uint64
	dispatch.Mark
}

// pendingMsg says that an execution waits for its first turn (an S row exists).
type pendingMsg struct {
	start persistence.StartEffect
	seq   uint64 // as in nudgeMsg; 0: the inbox has no row
	dispatch.Mark
}

// timerMsg says that a durable timer is due.
type timerMsg struct {
	key   persistence.TimerKey
	again bool
	fresh uint64 // as in dispatch.Mark
}

// retryMsg says that an instance whose turns were held back (backoff of an L row) may be tried again now.
type retryMsg struct {
	iid persistence.Incarnation
	dispatch.Mark
}
