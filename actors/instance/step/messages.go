package step

import (
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"
)

// What the activator carries to an instance. All are pointers and carry their own reply; reply functions are called
// once, from any goroutine, and must not block.

// NewTold is the message that brings an action to its instance.
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

// NudgeMsg says that the inbox of an incarnation has a row. An instance that holds it ignores the nudge.
type NudgeMsg struct {
	iid persistence.Incarnation
	seq uint64
	dispatch.Mark
}

// PendingMsg says that an execution waits for its first turn (an S row exists).
type PendingMsg struct {
	start persistence.StartEffect
	seq   uint64 // as in nudgeMsg; 0: the inbox has no row
	dispatch.Mark
}

// TimerMsg says that a durable timer is due.
type TimerMsg struct {
	key   persistence.TimerKey
	again bool
	fresh uint64 // as in dispatch.Mark
}

// RetryMsg says that an instance whose turns were held back (backoff of an L row) may be tried again now.
type RetryMsg struct {
	iid persistence.Incarnation
	dispatch.Mark
}

// WakeMsg makes an instance look whether there is something to do. Unlike answers it is counted by the handshake.
type WakeMsg struct{}

// Wake makes an instance look whether there is something to do.
var Wake = &WakeMsg{}

// EvictMsg tells an idle instance to let its machine go.
type EvictMsg struct{}

// Evict tells an instance to let its coroutine go.
var Evict = &EvictMsg{}

// AcceptDueMsg says that an instance has held a message for 10 ms.
type AcceptDueMsg struct{}

// AcceptDue is the tick of the accept timer.
var AcceptDue = &AcceptDueMsg{}

// Moved says that the instance was ended without its actor.
type Moved struct{}
