package step

import (
	"errors"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"
)

// readReasons counts reasons to read the durable state: the dispatcher has told the instance of something, or the view was
// dropped while something was pending. A reason counts as seen when a read that began after it has returned, or when the
// instance is idle and its view shows that nothing is pending. Invariant: seen <= last.
type readReasons struct{ last, seen uint64 }

func (n *readReasons) add()         { n.last++ }
func (n *readReasons) unread() bool { return n.last != n.seen }

// hasWork reports whether the instance has something to do beside its buffered messages.
func (in *Machine) hasWork() bool {
	return in.reasons.unread() || len(in.view.Due) > 0 || in.abandon != nil || in.forcedEnd != nil
}

// openTell is what the partition's dispatcher has told this instance and the instance has not acknowledged yet: the tells
// numbered first to number. The dispatcher repeats a tell that is not acknowledged within its bound. So a wake-up that this
// package loses causes a delay and is counted; it is never lost for good.
type openTell struct {
	iid           persistence.Incarnation
	first, number uint64
	any           bool
	// Why the instance leaves although something is pending. unserved: no consumer is attached. until: no turn may start
	// before this time. held: the lease row held the instance back when it was read; the time in that row may have come
	// since. lost: another owner has the instance, or it cannot be read.
	unserved, held, lost bool
	until                int64
}

// hint is the newest execution that the dispatcher has named; by is the value of reasons.last at that time.
type hint struct {
	iid       persistence.Incarnation
	execution uint64
	by        uint64
}

// noteTell records a tell of the dispatcher, before the instance acts on it.
func (in *Machine) noteTell(iid persistence.Incarnation, execution uint64, m dispatch.Mark) {
	in.checkLost(iid, m)
	in.noteAttach(m.Fresh)
	in.reasons.add()
	in.name(iid, execution)
	t := &in.tell
	switch {
	case !t.any || iid > t.iid:
		*t = openTell{any: true, iid: iid, first: m.Number, number: m.Number}
	case iid == t.iid:
		*t = openTell{any: true, iid: iid, first: t.first, number: max(t.number, m.Number)}
	default: // the tell is for an older incarnation, which is gone
		in.acknowledgeWith(dispatch.Acknowledgement{IID: iid, Number: m.Number})
	}
}

// noteAttach records that a runtime was attached, which is a reason to try a held instance again. The dispatcher repeats the
// number of the newest runtime until the instance answers, so an older number changes nothing.
func (in *Machine) noteAttach(attach uint64) {
	if attach > in.newestAttach {
		in.newestAttach, in.tryAgain = attach, true
	}
}

// checkLost reports a lost wake-up to the dispatcher: an earlier tell that the instance neither knows of nor has
// acknowledged. The dispatcher decides whether it is really lost: it may have told again while the acknowledgement was on its
// way, or the instance may have left since. An instance that knows of the tell and is at work asks for time.
func (in *Machine) checkLost(iid persistence.Incarnation, m dispatch.Mark) {
	t := &in.tell
	switch {
	case m.Unacked == 0 || m.Unacked <= in.acknowledged || in.facts.Draining():
	case !t.any || t.iid != iid || t.first > m.Unacked || m.Again && !in.busyNow():
		in.acknowledgeWith(dispatch.Acknowledgement{IID: iid, Number: m.Unacked, Lost: true})
	case m.Again:
		in.acknowledgeWith(dispatch.Acknowledgement{IID: iid, Wait: true})
	}
}

// name records that an execution exists, if it is newer than the one in the hint.
func (in *Machine) name(iid persistence.Incarnation, execution uint64) {
	h := &in.hint
	if iid > h.iid || iid == h.iid && execution > h.execution {
		*h = hint{iid: iid, execution: execution}
	}
	h.by = in.reasons.last
}

// busyNow reports whether the instance waits for an answer. When the answer comes, it looks again for something to do.
func (in *Machine) busyNow() bool {
	return in.phase != phaseReady && in.phase != phaseUnknown || in.outstanding() > 0
}

// nudge records that the inbox has a row.
func (in *Machine) nudge(iid persistence.Incarnation, seq uint64) {
	if !in.view.Known || in.view.Head.IID == iid {
		in.view.Inbox.Nudged = max(in.view.Inbox.Nudged, seq)
	}
}

// noteDueTimer records a due timer. The commit that deletes the timer's row acknowledges it.
func (in *Machine) noteDueTimer(m *TimerMsg) {
	v := &in.view
	in.noteAttach(m.fresh)
	if m.again && !in.busyNow() && !v.IsDue(m.key) && !in.facts.Draining() {
		in.acknowledgeWith(dispatch.Acknowledgement{IID: m.key.IID, Lost: true, Timers: []persistence.TimerKey{m.key}})
	}
	if !v.Known || !v.Exists || v.Older(m.key.IID, m.key.Execution) {
		in.reasons.add()
		in.name(m.key.IID, m.key.Execution)
	}
	v.TimerDue(m.key)
}

// contradicted reports whether the view must be wrong: the dispatcher has named an instance, an incarnation or an execution
// that the view does not have, and no read has looked for it since. While an answer is outstanding it returns false: that
// answer may explain the tell, because the dispatcher learns of a commit before the instance does.
func (in *Machine) contradicted() bool {
	if in.outstanding() > 0 || !in.reasons.unread() || plantedBelief {
		return false
	}
	v := &in.view
	if !v.Exists {
		return true
	}
	return in.hint.by > in.reasons.seen && v.Older(in.hint.iid, in.hint.execution)
}

// compareRefusal checks whether the journal refused a message for a reason that contradicts the view. If so, the instance
// reads its durable state again.
func (in *Machine) compareRefusal(a *arrival.Arrival, err error) {
	v := &in.view
	wrong := a.Start != nil && errors.Is(err, persistence.ErrAlreadyExists) && v.Known && !v.Exists ||
		a.Deliver != nil && errors.Is(err, persistence.ErrNotFound) && v.Known && v.Exists
	if !wrong || plantedBelief {
		return
	}
	in.host.Counts.Contradictions.Add(1)
	in.reasons.add()
	if v.Exists {
		in.outdated()
	}
}

// acknowledge tells the dispatcher that its tells have been dealt with, as soon as that is certain: the instance has consumed
// everything that it was told of, has deferred it, or finds it gone.
func (in *Machine) acknowledge() {
	t, v := &in.tell, &in.view
	if in.phase != phaseReady || !v.Known || !t.any && !in.reasons.unread() {
		return
	}
	if in.outstanding() > 0 || in.contradicted() || !v.Exists && in.reasons.unread() {
		return
	}
	if v.Exists && !v.Head.Status.Terminal() && in.pending() {
		return
	}
	if hidden := v.Inbox.HiddenUntil(); t.any && hidden > 0 {
		in.acknowledgeWith(dispatch.Acknowledgement{IID: t.iid, Number: t.number, Until: hidden})
	} else if t.any {
		in.acknowledgeWith(dispatch.Acknowledgement{IID: t.iid, Number: t.number})
	}
	in.acknowledged = max(in.acknowledged, t.number)
	*t = openTell{}
	in.reasons.seen = in.reasons.last
}

// acknowledgeLeft tells the dispatcher why the instance leaves pending messages: the lease row holds it back until a time, no
// consumer is attached, or the instance is lost to this process.
func (in *Machine) acknowledgeLeft() {
	t := &in.tell
	if in.leftHeld() {
		in.acknowledgeHeld()
		return
	}
	if !t.any {
		return
	}
	if t.unserved || t.until > 0 || t.lost {
		in.acknowledgeWith(dispatch.Acknowledgement{IID: t.iid, Number: t.number, Unserved: t.unserved, Until: t.until})
		in.acknowledged = max(in.acknowledged, t.number)
		*t = openTell{}
	}
}
