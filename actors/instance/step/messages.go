package step

import (
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"
)

// These are the messages that the activator carries to an instance. All are pointers.

// NewTold returns the message that brings an action of the dispatcher to its instance.
func NewTold(a *dispatch.Action) any {
	switch a.Kind {
	case dispatch.TellStart:
		return &PendingMsg{start: *a.Start, seq: a.Seq, Mark: a.Mark()}
	case dispatch.TellNudge:
		return &NudgeMsg{iid: a.IID, seq: a.Seq, Mark: a.Mark()}
	case dispatch.TellRetry:
		return &RetryMsg{iid: a.IID, Mark: a.Mark()}
	default:
		return &TimerMsg{key: a.Timer, again: a.Again, fresh: a.Fresh}
	}
}

// Messages of a partition's dispatcher.

// NudgeMsg says that the inbox of an incarnation has a row. An instance that has the row already ignores the nudge.
type NudgeMsg struct {
	iid persistence.Incarnation
	seq uint64
	dispatch.Mark
}

// PendingMsg says that an execution waits for its first turn: its start row exists.
type PendingMsg struct {
	start persistence.StartEffect
	seq   uint64 // as in NudgeMsg; 0: the inbox has no row
	dispatch.Mark
}

// TimerMsg says that a durable timer is due.
type TimerMsg struct {
	key   persistence.TimerKey
	again bool
	fresh uint64 // as in dispatch.Mark
}

// RetryMsg says that the backoff in the lease row of an instance has ended, so that it may be tried again now.
type RetryMsg struct {
	iid persistence.Incarnation
	dispatch.Mark
}

// WakeMsg makes an instance look for something to do. It is no answer: the activator counts it, so the instance does not leave
// before it has taken it.
type WakeMsg struct{}

// Wake is the one WakeMsg.
var Wake = &WakeMsg{}

// EvictMsg tells an idle instance to let its replay machine go.
type EvictMsg struct{}

// Evict is the one EvictMsg.
var Evict = &EvictMsg{}

// AcceptDueMsg says that a message has been buffered for 10 ms.
type AcceptDueMsg struct{}

// AcceptDue is the one AcceptDueMsg: the tick of the accept timer.
var AcceptDue = &AcceptDueMsg{}

// Moved says that the instance was terminated without its actor, so that the view is out of date.
type Moved struct{}
