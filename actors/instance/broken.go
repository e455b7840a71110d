package instance

import (
	"fmt"
	"slices"

	"github.com/turnstone-dev/turnstone/actors/internal/mailbox"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
)

// BreaksAfter is how often in a row an actor may fail, the recoveries from its failures included, before it is given up.
const BreaksAfter = 3 * PanicsMax

// recover goes on after a restart, or gives up when even that fails.
func (in *instance) recover(failed any) {
	if in.broken || in.failed >= BreaksAfter {
		in.breakDown(failed)
		return
	}
	in.afterPanic(failed)
}

// errBroken answers what a broken instance holds.
func errBroken() error {
	return fmt.Errorf("%w: the instance's actor fails again and again; see the log", persistence.ErrUncertain)
}

// breakDown gives up what is in memory, which can be neither handled nor recovered. It answers the senders that wait, and
// the actor leaves when its outstanding requests have returned. The next message starts a new actor, which reads the
// journal. If breakDown itself panics, the next call continues behind the failed step: each step unlinks a thing before
// it touches it.
func (in *instance) breakDown(failed any) {
	if t := in.turn; t != nil {
		in.turn = nil
		in.buffer.items = append(in.buffer.items, t.arrivals...)
		t.endCareful()
	}
	if a := newArrival(failed, in.host.elapsed()); a != nil && !in.broken && !slices.ContainsFunc(in.buffer.items, func(b *arrival) bool {
		return b != nil && a.sameAs(b)
	}) {
		in.buffer.items = append(in.buffer.items, a)
	}
	in.broken = true
	for len(in.buffer.items) > 0 {
		a := in.buffer.items[0]
		in.buffer.items = in.buffer.items[1:]
		a.answer(errBroken(), false)
	}
	in.unpark()
	in.uncharge()
	in.endCareful()
	if m := in.machine; m != nil {
		in.machine = nil
		in.host.unwind(m, func() {})
	}
	if h := in.acceptTimer; h != nil {
		in.acceptTimer = nil
		if in.host.acceptTimers.withdraw(h) {
			in.outstanding--
		}
	}
	in.host.Config.Logger.Error("an instance's actor fails again and again and is given up; the journal has the instance",
		logkey.Instance, in.id, logkey.Failures, in.failed)
	in.leaveBroken()
}

// refuse takes a message of a broken instance: it only keeps the counts right that let it leave.
func (in *instance) refuse(msg any) {
	switch m := msg.(type) {
	case *startMsg, *deliverMsg, *resultMsg, *nudgeMsg, *pendingMsg, *timerMsg, *retryMsg, *wakeMsg, *Moved, *Freed:
		in.carryover.Received++
		if a := newArrival(m, in.host.elapsed()); a != nil {
			a.answer(errBroken(), false)
		}
	case *evictMsg:
		if in.evicting {
			in.evicting = false
			in.outstanding--
		}
	case *turnMsg:
		in.outstanding--
		if !m.abandoned && m.turn.machine != nil && !m.turn.machine.Ended() {
			in.host.unwind(m.turn.machine, func() {})
		}
	case *admitMsg:
		in.outstanding--
		m.release()
	case *memoryMsg:
		in.outstanding--
		in.host.Memory.Back(m.bytes)
	case *loadMsg:
		in.outstanding--
		in.host.Memory.Back(m.taken)
	default:
		in.outstanding--
	}
	in.leaveBroken()
}

// leaveBroken leaves once nothing is outstanding and no message is on its way. A stop does not rely on the count, which a
// failure may have left wrong.
func (in *instance) leaveBroken() {
	if in.outstanding <= 0 || in.host.Draining.Load() {
		in.host.Engine.Idle(in.id, in.pid, in.carryover.Received)
	}
}

// Spoil makes every step of an instance panic. It is for tests; the instance must be at rest.
func Spoil(c *mailbox.Carryover) { c.State.(*instance).buffer.items = []*arrival{nil} }
