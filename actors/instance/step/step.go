package step

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// step begins the next thing that the instance has to do, unless it is waiting for an answer. If nothing is left to do, the
// instance stays resident or leaves.
func (in *Machine) step() {
	if in.woken && (in.phase == phaseUnknown || in.phase == phaseReady) {
		in.woken, in.leaving = false, false
	}
	for range 8 { // a round that changes the phase calls for another; at most a few follow each other
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

// stepUnknown reads the durable state. A new id costs no read, because the journal knows from memory that no instance has it.
func (in *Machine) stepUnknown() {
	if len(in.buffer.items) == 0 && !in.asks() && (in.leaving || !in.hasWork()) {
		return
	}
	if in.accepting > 0 {
		return // a load must see what these proposals write, so it waits for their answers
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

// stepReady decides the next thing to do when the durable state is known. The first case that applies wins, so their order
// matters.
func (in *Machine) stepReady() {
	v := &in.view
	in.unhide()
	switch {
	case in.contradicted(), in.moved && in.outstanding() == 0: // the view is out of date
		in.moved = false
		in.reload()
	case !v.Exists:
		in.stepAbsent()
	case v.Head.Status.Terminal(): // the journal answers messages that come after the end
		in.abandon, in.forcedEnd = nil, nil
		in.answerQueries(persistence.ErrEnded)
		in.acceptAll()
	case in.acceptStarts(), in.accepting > 0: // a turn that began now could overtake the messages that are being accepted
	case in.abandon != nil:
		in.acceptAll()
		in.proposeAbandon()
	case in.fits(): // before any read, because a read drops the machine and brings only a part of a held instance
		in.release()
	case in.outOfDate():
		in.leaving = false // the read tells whether the instance may be tried
		in.reload()
	case in.cancelsHeld():
	case in.stepQueries():
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

// holdBack accepts the buffered messages and leaves: no turn may start now.
func (in *Machine) holdBack() {
	in.noteWhyLeft()
	in.leaving = true
	in.acceptAll()
	in.giveUpLease()
}

// acceptStarts proposes buffered starts of an instance that exists. The journal knows whether they repeat the first start.
func (in *Machine) acceptStarts() (any bool) {
	for _, a := range in.buffer.items {
		if a.Start != nil && a.State == arrival.Unproposed {
			in.accept(a)
			any = true
		}
	}
	return any
}

// pending reports whether a turn would have something to do, as far as the view tells.
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

// heldBack reports whether no turn may start now, whatever messages wait. Until the partition's epoch is durable, it is
// unknown whether the epoch before it ended cleanly, so no code may run. The new epoch's scan tells the instance again.
func (in *Machine) heldBack() bool {
	return in.leaving || in.facts.Draining() || in.facts.Epoch() == 0 || in.notYet()
}

// backsOff reports whether the instance's backoff has not ended yet.
func (in *Machine) backsOff() bool { return in.host.BacksOff(in.view.NotBeforeMs, in.facts.NowMs()) }

// stepAbsent serves an id that no instance has. A start makes the instance; messages before the start are answered with
// ErrNotFound.
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
		in.answerQueries(persistence.ErrNotFound)
		return
	}
	start := b.items[0]
	req := &start.Start.StartRequest
	struck := in.abandon != nil || in.forcedEnd != nil // code has run already, and only a durable instance can count the attempt
	if struck || req.DelayMs > 0 || in.heldBack() || in.facts.Careful() || in.facts.FreshPauseLeft() > 0 || !in.find(req.Name, req.Version, "") {
		in.accept(start)
		return
	}
	in.startTurn(nil)
}

// find looks for a consumer that has the handler. It keeps the consumer and the handler for the next turn.
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
	if in.resident != nil && in.consumer.Turns.Closed() {
		in.unpark()
		in.reload()
		return
	}
	if in.resident == nil && v.Taken() && v.Unreadable == nil {
		in.reload() // the view has no history any more: the machine that was dropped had taken it
		return
	}
	switch {
	case v.Unreadable != nil:
		in.stepUnreadable()
	case in.forcedEnd != nil && !(in.forcedEnd.Undoes && v.CleansUp()):
		in.endNow(in.forcedEnd)
	case v.Attempts >= in.host.Config.MaxAttempts && in.token == "":
		in.endNow(in.poison(v.Attempts + 1))
	case in.resident == nil && !in.findForHead():
		in.unregistered()
	case in.token == "" && in.triesAlone():
		in.askTry()
	case in.token == "" && (in.facts.Careful() || in.suspect): // an admitted suspect stays one when careful mode ends
		in.stepCareful()
	case in.token == "" && in.facts.FreshPauseLeft() > 0:
		in.unpark()
		in.pauseFor(in.facts.FreshPauseLeft())
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

// endNow ends the instance without its code. It accepts the buffered messages first, so that the last turn consumes only
// durable messages.
func (in *Machine) endNow(d *turn.ForcedEnd) {
	in.forcedEnd = d
	if in.resident != nil {
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
	case !in.findForHead(): // if a consumer has it, find sets the version that its code would have recorded
		in.version = v.Start.Version
	}
	in.fn = nil
	in.startTurn(d)
}

// unregistered gives back an instance whose handler no consumer has. The attempt counts, and the next one waits for the
// backoff. While no consumer is attached at all, no attempt counts: the dispatcher tells the instance again when a consumer
// attaches.
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
		in.holdBack() // the new runtime has no handler either, so the next attempt waits for its time
		return
	}
	in.host.Counts.Unregistered.Add(1)
	reason := in.missing()
	if in.host.Unknown.IsNew(in.facts.Elapsed().Milliseconds(), reason, in.host.Config.BackoffMax.Milliseconds()) {
		in.host.Config.Logger.Warn(reason+"; its instances are tried again later", logkey.Instance, in.id,
			logkey.Orchestration, v.Head.Name, logkey.Version, v.Head.Version, logkey.Attempts, v.Attempts+1)
	}
	in.abandon = &abandonPlan{token: in.token, counts: true, reason: reason, attaches: in.attaches}
	if failure.IsNotReplayable(reason) {
		in.abandon.counts, in.abandon.delayMs = false, in.heldDelayMs(in.heldTry()) // it stays until a runtime may replay it
	}
	in.endCareful()
	in.proposeAbandon()
}

// rest lets the instance stay resident or leave when it has nothing to do and no answer is outstanding.
func (in *Machine) rest() {
	in.wakeNoMore()
	if _, held := in.OldestUnproposed(); !held && in.facts.Ticking() {
		in.asked-- // the shell withdraws the accept timer after this step
	}
	in.acknowledge()
	if !resting.has(in.phase) || in.outstanding() > 0 || len(in.buffer.items) > 0 || in.asks() || in.parked {
		return
	}
	if in.resident != nil {
		running := in.phase == phaseReady && in.view.Exists && in.view.Head.Status == persistence.StatusRunning
		if running && !in.leaving && !in.toEvict {
			in.park()
			return
		}
		in.toEvict = false
		in.discard()
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

// leave asks the activator to take the instance from its table, and first tells the dispatcher why the instance leaves
// pending messages. The activator keeps the instance if a message is on its way to it: the message then lets it go on.
func (in *Machine) leave() {
	in.acknowledgeLeft()
	in.leaving = true
	in.emit(Effect{Kind: EffectLeave})
}

// wakeLater keeps an instance with due timers in memory until a turn may start, and wakes it then. If the instance left
// instead, the dispatcher would not tell it of these timers again.
func (in *Machine) wakeLater() {
	d := time.Duration(in.view.NotBeforeMs-in.facts.NowMs()) * time.Millisecond
	if !in.view.Known || !in.backsOff() {
		d = in.host.Config.TurnLease
	}
	in.later = &TickMsg{Kind: TickWake}
	in.arm(in.later, d)
}

// wakeNoMore ends the wait of wakeLater when the engine stops, because the stop waits until no instance is active.
func (in *Machine) wakeNoMore() {
	if in.later != nil && in.facts.Draining() {
		in.disarm(in.later)
		in.later = nil
	}
}

// dropAndLeave drops the instance's state and leaves, because another owner has the instance or this process can do nothing
// for it.
func (in *Machine) dropAndLeave() {
	in.leaving, in.tell.lost, in.tell.held = true, true, false
	in.discard()
}

// reload drops the view and has the next step read it again. The machine calls it when it has something to do and the view
// does not tell what.
func (in *Machine) reload() {
	in.unpark()
	in.reasons.add()
	in.discard()
}

// discard drops the replay machine, if there is one, and the view. Another goroutine unwinds the coroutines; the instance
// does nothing until that is done or has been given up.
func (in *Machine) discard() {
	m := in.dropMachine()
	in.view.Forget()
	in.become(phaseUnknown)
	if m == nil || m.Ended() {
		return
	}
	in.become(phaseClosing)
	in.emit(Effect{Kind: EffectUnwind, Machine: m, Message: &closedMsg{}})
}

// dropMachine drops the replay machine and keeps the view.
func (in *Machine) dropMachine() *replay.Machine {
	m := in.resident
	in.resident, in.consumer = nil, nil
	in.uncharge()
	return m
}

// closedMsg says that a replay machine has been unwound, or that the instance waits for it no longer.
type closedMsg struct{}

func (in *Machine) closed() {
	if in.phase == phaseClosing {
		in.become(phaseUnknown)
	}
}
