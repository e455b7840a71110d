package step

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
)

// step does the next thing, if none is being done, and leaves if there is none.
func (in *Machine) step() {
	if in.woken && (in.phase == phaseUnknown || in.phase == phaseReady) {
		in.woken, in.leaving = false, false
	}
	for range 8 { // each round but the last ends a phase at once, which happens at most a few times in a row
		before := in.phase
		switch in.phase {
		case phaseUnknown:
			in.stepUnknown()
		case phaseReady:
			in.stepReady()
		}
		if in.phase == before {
			break
		}
	}
	in.rest()
}

// stepUnknown finds out what there is. A new id costs no read: the journal knows from memory that it has none.
func (in *Machine) stepUnknown() {
	if len(in.buffer.items) == 0 && (in.leaving || !in.hasWork()) {
		return
	}
	if in.accepting > 0 {
		return // what they answer is part of what a load would see
	}
	if !in.reasons.unread() && !in.facts.MayExist() {
		due := in.view.Due
		in.view = view.View{Known: true, Due: due}
		in.view.KeepOwnTimers()
		in.become(phaseReady)
		return
	}
	in.uncharge()
	in.load()
}

// stepReady decides what to do with a known state. The first case that applies is the next thing to do.
func (in *Machine) stepReady() {
	v := &in.view
	in.unhide()
	switch {
	case in.contradicted(), in.moved && in.outstanding() == 0: // what is known is out of date
		in.moved = false
		in.reload()
	case !v.Exists:
		in.stepAbsent()
	case v.Head.Status.Terminal(): // the journal answers what comes after the end
		in.abandon, in.forcedEnd = nil, nil
		in.acceptAll()
	case in.acceptStarts(), in.accepting > 0: // a turn that began now could overtake what is being accepted
	case in.abandon != nil:
		in.acceptAll()
		in.proposeAbandon()
	case in.fits(): // before anything is read again: a held instance is read in part
		in.release()
	case in.outOfDate():
		in.leaving = false // whether it may be tried is known after the read
		in.reload()
	case in.cancelsHeld():
	case v.Partial:
		in.stepPartial()
	case in.acceptUnwanted():
	case !in.pending(): // nothing to do
		in.giveUpLease()
		if in.abandon != nil {
			in.abandon.quiet = true
			in.proposeAbandon()
		}
	case in.heldBack():
		in.holdBack()
	case in.mustRead():
		in.loadInbox()
	default:
		in.stepTurn()
	}
}

// holdBack leaves what waits for a later time.
func (in *Machine) holdBack() {
	in.noteWhyLeft()
	in.leaving = true
	in.acceptAll()
	in.giveUpLease()
}

// acceptStarts proposes starts of an id that is taken: the journal knows whether they repeat the first one.
func (in *Machine) acceptStarts() (any bool) {
	for _, a := range in.buffer.items {
		if a.Start != nil && a.State == arrival.Unproposed {
			in.accept(a)
			any = true
		}
	}
	return any
}

// pending says whether a turn would have something to consume.
func (in *Machine) pending() bool {
	v := &in.view
	if v.Partial || v.Start != nil || len(v.Due) > 0 || len(in.buffer.items) > 0 || in.forcedEnd != nil {
		return true
	}
	if len(v.Inbox.Rows) > 0 {
		if any, _ := v.Inbox.HasWork(in.facts.NowMs()); any {
			return true
		}
	}
	return v.Inbox.UnreadUnnamed() || v.Inbox.UnreadWanted()
}

// heldBack reports whether no turn may start now, whatever waits. Until the partition's epoch is durable, it is unknown
// whether the epoch before it ended cleanly, so no code may run. The new epoch's scan tells the instance again.
func (in *Machine) heldBack() bool {
	return in.leaving || in.facts.Draining() || in.facts.Epoch() == 0 || in.notYet()
}

// backsOff says that the instance's backoff has not ended.
func (in *Machine) backsOff() bool { return in.host.BacksOff(in.view.NotBeforeMs, in.facts.NowMs()) }

// stepAbsent serves an id that no instance has: a start makes one, all else is not found.
func (in *Machine) stepAbsent() {
	if in.accepting > 0 {
		return
	}
	b := &in.buffer
	for _, a := range b.items {
		if a.Start != nil {
			break
		}
		in.answer(a, in.refusal(a, persistence.ErrNotFound), false)
	}
	b.settle()
	if len(b.items) == 0 {
		in.abandon, in.forcedEnd, in.view.Due = nil, nil, nil
		return
	}
	start := b.items[0]
	req := &start.Start.StartRequest
	struck := in.abandon != nil || in.forcedEnd != nil // its code has run already, and an attempt can be counted only of what exists
	if struck || in.heldBack() || in.facts.Careful() || in.facts.HushLeft() > 0 || !in.find(req.Name, req.Version, "") {
		in.accept(start)
		return
	}
	in.startTurn(nil)
}

// find looks for a consumer that has the handler, and keeps it.
func (in *Machine) find(name, version, pin string) bool {
	in.attaches = in.facts.Attaches()
	c, resolved, fn, ok := in.facts.Find(name, version, pin, in.heldTries())
	if !ok {
		return false
	}
	in.consumer, in.version, in.fn = c, resolved, fn
	return true
}

// stepTurn starts a turn of an instance that exists and has something to do.
func (in *Machine) stepTurn() {
	v := &in.view
	if in.machine != nil && in.consumer.Turns.Closed() {
		in.unpark()
		in.reload()
		return
	}
	if in.machine == nil && v.Head.Turn > 0 && v.Segments == nil && v.Unreadable == nil {
		in.reload() // the history went with the machine
		return
	}
	switch {
	case v.Unreadable != nil:
		in.stepUnreadable()
	case in.forcedEnd != nil:
		in.endNow(in.forcedEnd)
	case v.Attempts >= in.host.Config.MaxAttempts && in.token == "":
		in.endNow(in.poison(v.Attempts + 1))
	case in.machine == nil && !in.findForHead():
		in.unregistered()
	case in.token == "" && in.triesAlone():
		in.askTry()
	case in.token == "" && (in.facts.Careful() || in.suspect): // a suspect that was let in stays one
		in.stepCareful()
	case in.token == "" && in.facts.HushLeft() > 0:
		in.unpark()
		in.pauseFor(in.facts.HushLeft())
	default:
		in.unpark()
		in.startTurn(nil)
	}
}

func (in *Machine) findForHead() bool {
	v := &in.view
	if v.Start != nil {
		return in.find(v.Start.Name, v.Start.Version, "")
	}
	return in.find(v.Head.Name, v.Head.Version, v.Head.Pin)
}

// endNow ends the instance without its code. What is held is accepted first, so that only durable messages are consumed.
func (in *Machine) endNow(d *turn.ForcedEnd) {
	in.forcedEnd = d
	if in.machine != nil {
		in.unpark()
		in.reload()
		return
	}
	if len(in.buffer.items) > 0 {
		in.acceptAll()
		return
	}
	switch v := &in.view; {
	case v.Start == nil:
		in.version = v.Head.Version
	case !in.findForHead(): // the started event has the version that the code would have had
		in.version = v.Start.Version
	}
	in.fn = nil
	in.startTurn(d)
}

// unregistered gives back an instance whose handler no consumer has: the attempt is counted, and the next one waits for
// the backoff. While no consumer is attached at all, no attempt is counted: the dispatcher tells the instance again when
// one attaches.
func (in *Machine) unregistered() {
	if len(in.buffer.items) > 0 {
		in.acceptAll()
		return
	}
	v := &in.view
	if !in.idleHandler() && in.cancels() {
		return
	}
	if !in.facts.AnyConsumer() {
		in.leaving, in.tell.unserved = true, true
		return
	}
	in.tryAgain = false
	if v.Held.Reason != "" && in.token == "" && in.backsOff() {
		in.holdBack() // a runtime that has not got the handler either is no reason for an attempt before its time
		return
	}
	in.host.Counts.Unregistered.Add(1)
	reason := in.missing()
	if in.host.Unknown.IsNew(in.facts.Elapsed().Milliseconds(), reason, in.host.Config.BackoffMax.Milliseconds()) {
		in.host.Config.Logger.Warn(reason+"; its instances are tried again later", logkey.Instance, in.id,
			logkey.Orchestration, v.Head.Name, logkey.Version, v.Head.Version, logkey.Attempts, v.Attempts+1)
	}
	in.abandon = &abandonPlan{token: in.token, counts: true, reason: reason, attaches: in.attaches}
	in.endCareful()
	in.proposeAbandon()
}

// rest leaves, or stays resident, when there is nothing to do and nothing outstanding.
func (in *Machine) rest() {
	in.wakeNoMore()
	if _, held := in.OldestUnproposed(); !held && in.facts.Ticking() {
		in.asked-- // the accept timer is withdrawn
	}
	in.acknowledge()
	if !resting.has(in.phase) || in.outstanding() > 0 || len(in.buffer.items) > 0 || in.parked {
		return
	}
	if in.machine != nil {
		running := in.phase == phaseReady && in.view.Exists && in.view.Head.Status == persistence.StatusRunning
		if running && !in.leaving && !in.toEvict {
			in.park()
			return
		}
		in.toEvict = false
		in.discard(false)
		return
	}
	in.endCareful()
	in.dropLoaded()
	if in.leaving && len(in.view.Due) > 0 && !in.facts.Draining() && !in.leftHeld() {
		in.wakeLater()
		return
	}
	in.leave()
}

// leave says that nothing is left to do, and why not if something is pending. The activator takes the instance from its
// table, unless a message is on its way: then the instance goes on when it comes.
func (in *Machine) leave() {
	in.acknowledgeLeft()
	in.leaving = true
	in.emit(Effect{Kind: EffectLeave})
}

// wakeLater keeps an instance in memory that knows of due timers and may not run yet, and wakes it when it may. If it
// left instead, the dispatcher would not tell it of these timers again.
func (in *Machine) wakeLater() {
	d := time.Duration(in.view.NotBeforeMs-in.facts.NowMs()) * time.Millisecond
	if !in.view.Known || !in.backsOff() {
		d = in.host.Config.TurnLease
	}
	in.later = &TickMsg{Kind: TickWake}
	in.arm(in.later, d)
}

// wakeNoMore ends the wait of wakeLater when the engine stops. The stop waits until no instance is active.
func (in *Machine) wakeNoMore() {
	if in.later != nil && in.facts.Draining() {
		in.disarm(in.later)
		in.later = nil
	}
}

// dropAndLeave drops what is in memory and leaves: another owner has the instance, or this process can do nothing for it.
func (in *Machine) dropAndLeave() {
	in.leaving, in.tell.lost, in.tell.held = true, true, false
	in.discard(false)
}

// reload drops what is known and reads it again: something is to be done, and the view cannot tell what.
func (in *Machine) reload() {
	in.unpark()
	in.reasons.add()
	in.discard(false)
}

// discard drops the machine, if there is one, and with it what is known (unless keep). Its coroutines are unwound
// elsewhere, and the instance does nothing until that is done or has been given up.
func (in *Machine) discard(keep bool) {
	m := in.machine
	in.machine, in.consumer = nil, nil
	in.uncharge()
	if !keep {
		in.view.Forget()
	}
	in.become(phaseUnknown)
	if keep {
		in.become(phaseReady)
	}
	if m == nil || m.Ended() {
		return
	}
	after := in.phase
	in.become(phaseClosing)
	in.emit(Effect{Kind: EffectUnwind, Machine: m, Message: &closedMsg{after}})
}

// closedMsg says that a machine has been unwound, or that the instance need not wait for it any longer.
type closedMsg struct{ after phase }

func (in *Machine) closed(m *closedMsg) {
	if in.phase == phaseClosing {
		in.become(m.after)
	}
}
