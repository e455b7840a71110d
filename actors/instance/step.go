package instance

import (
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// step does the next thing, if none is being done, and leaves if there is none.
func (in *instance) step() {
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
	in.watchAcceptTimer()
	in.rest()
}

// stepUnknown finds out what there is. A new id costs no read: the journal knows from memory that it has none.
func (in *instance) stepUnknown() {
	if len(in.buffer.items) == 0 && (in.leaving || !in.owes()) {
		return
	}
	if in.accepting > 0 {
		return // what they answer is part of what a load would see
	}
	if !in.news.unread() && !in.host.Journal.MayExist(in.id) {
		due := in.view.due
		in.view = view{known: true, due: due}
		in.view.keepOwnTimers()
		in.phase = phaseReady
		return
	}
	in.uncharge()
	in.load()
}

// stepReady decides what to do with a known state.
func (in *instance) stepReady() {
	v := &in.view
	in.unhide()
	switch {
	case in.contradicted(), in.moved && in.outstanding == 0:
		in.moved = false
		in.reload()
	case !v.exists:
		in.stepAbsent()
	case v.head.Status.Terminal():
		in.abandon, in.forcedEnd = nil, nil
		in.acceptAll()
	case in.acceptStarts(), in.accepting > 0:
		// None is fused ahead of an accept in flight.
	case in.abandon != nil:
		in.acceptAll()
		in.proposeAbandon()
	case in.fits(): // before anything is read again: what is held back now is read in part
		in.release()
	case in.outOfDate():
		in.leaving = false // whether it may be tried is known after the read
		in.reload()
	case in.cancelsHeld():
	case v.partial:
		in.stepPartial()
	case in.acceptUnwanted():
	case !in.pending():
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
func (in *instance) holdBack() {
	in.noteLeft()
	in.leaving = true
	in.acceptAll()
	in.giveUpLease()
}

// acceptStarts proposes starts of an id that is taken: the journal knows whether they repeat the first one.
func (in *instance) acceptStarts() (any bool) {
	for _, a := range in.buffer.items {
		if a.start != nil && a.state == arrivalUnproposed {
			in.accept(a)
			any = true
		}
	}
	return any
}

// pending says whether a turn would have something to consume.
func (in *instance) pending() bool {
	v := &in.view
	if v.partial || v.start != nil || len(v.due) > 0 || len(in.buffer.items) > 0 || in.forcedEnd != nil {
		return true
	}
	if len(v.inbox.rows) > 0 {
		if any, _ := v.inbox.hasWork(in.host.now().UnixMilli()); any {
			return true
		}
	}
	return v.inbox.unreadUnnamed() || v.inbox.unreadWanted()
}

// heldBack reports whether no turn may start now, whatever waits. Until the partition's epoch is durable, it is unknown
// whether the epoch before it ended cleanly, so no code may run. The new epoch's scan tells the instance again.
func (in *instance) heldBack() bool {
	return in.leaving || in.host.Draining.Load() || in.part.Epoch() == 0 || in.notYet()
}

// backsOff says that the instance's backoff has not ended.
func (in *instance) backsOff() bool { return in.host.backsOff(in.view.notBeforeMs) }

// stepAbsent serves an id that no instance has: a start makes one, all else is not found.
func (in *instance) stepAbsent() {
	if in.accepting > 0 {
		return
	}
	b := &in.buffer
	for _, a := range b.items {
		if a.start != nil {
			break
		}
		a.answer(in.refusal(a, persistence.ErrNotFound), false)
	}
	b.settle()
	if len(b.items) == 0 {
		in.abandon, in.forcedEnd, in.view.due = nil, nil, nil
		return
	}
	start := b.items[0]
	req := &start.start.req
	struck := in.abandon != nil || in.forcedEnd != nil // its code has run already, and an attempt can be counted only of what exists
	if struck || in.heldBack() || in.part.Careful() || in.part.HushLeft() > 0 || !in.find(req.Name, req.Version, "") {
		in.accept(start)
		return
	}
	in.startTurn(nil)
}

// find looks for a consumer that has the handler, and keeps it.
func (in *instance) find(name, version, pin string) bool {
	in.attaches = in.host.Attaches.Load()
	c, resolved, fn, ok := in.part.Consumers().Find(name, version, pin, in.heldTries())
	if !ok {
		return false
	}
	in.consumer, in.version, in.fn = c, resolved, fn
	return true
}

// stepTurn starts a turn of an instance that exists and has something to do.
func (in *instance) stepTurn() {
	v := &in.view
	if in.machine != nil && in.consumer.Turns.Closed() {
		in.unpark()
		in.reload()
		return
	}
	if in.machine == nil && v.head.Turn > 0 && v.segments == nil && v.unreadable == nil {
		in.reload() // the history went with the machine
		return
	}
	switch {
	case v.unreadable != nil:
		in.stepUnreadable()
	case in.forcedEnd != nil:
		in.endNow(in.forcedEnd)
	case v.attempts >= in.host.Config.MaxAttempts && in.token == "":
		in.endNow(in.poison(v.attempts + 1))
	case in.machine == nil && !in.findForHead():
		in.unregistered()
	case in.token == "" && in.triesAlone():
		in.askTry()
	case in.token == "" && (in.part.Careful() || in.releaseSuspect != nil): // a suspect that was let in stays one
		in.stepCareful()
	case in.token == "" && in.part.HushLeft() > 0:
		in.unpark()
		in.pauseFor(in.part.HushLeft())
	default:
		in.unpark()
		in.startTurn(nil)
	}
}

func (in *instance) findForHead() bool {
	v := &in.view
	if v.start != nil {
		return in.find(v.start.Name, v.start.Version, "")
	}
	return in.find(v.head.Name, v.head.Version, v.head.Pin)
}

// endNow ends the instance without its code. What is held is accepted first, so that only durable messages are consumed.
func (in *instance) endNow(d *forcedEnd) {
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
	case v.start == nil:
		in.version = v.head.Version
	case !in.findForHead(): // the started event has the version that the code would have had
		in.version = v.start.Version
	}
	in.fn = nil
	in.startTurn(d)
}

// unregistered gives back an instance whose handler no consumer has: the attempt is counted, and the next one waits for
// the backoff. While no consumer is attached at all, no attempt is counted: the dispatcher tells the instance again when
// one attaches.
func (in *instance) unregistered() {
	if len(in.buffer.items) > 0 {
		in.acceptAll()
		return
	}
	v := &in.view
	if !in.idleHandler() && in.cancels() {
		return
	}
	if !in.host.Engine.AnyConsumer() {
		in.leaving, in.told.unserved = true, true
		return
	}
	in.fresh = false
	if v.held.Reason != "" && in.token == "" && in.backsOff() {
		in.holdBack() // a runtime that has not got the handler either is no reason for an attempt before its time
		return
	}
	in.host.Counts.Unregistered.Add(1)
	reason := in.missing()
	if in.host.Unknown.IsNew(clock.ElapsedMs(in.host.Config.Clock), reason, in.host.Config.BackoffMax.Milliseconds()) {
		in.host.Config.Logger.Warn(reason+"; its instances are tried again later", logkey.Instance, in.id,
			logkey.Orchestration, v.head.Name, logkey.Version, v.head.Version, logkey.Attempts, v.attempts+1)
	}
	in.abandon = &abandonPlan{token: in.token, counts: true, reason: reason, attaches: in.attaches}
	in.endCareful()
	in.proposeAbandon()
}

// rest leaves, or stays resident, when there is nothing to do and nothing outstanding.
func (in *instance) rest() {
	in.wakeNoMore()
	in.acknowledge()
	idle := in.phase == phaseReady || in.phase == phaseUnknown
	if !idle || in.outstanding > 0 || len(in.buffer.items) > 0 || in.parked {
		return
	}
	if in.machine != nil {
		running := in.phase == phaseReady && in.view.exists && in.view.head.Status == persistence.StatusRunning
		if running && !in.leaving && !in.unwanted && in.park() {
			return
		}
		in.unwanted = false
		in.discard(false)
		return
	}
	in.endCareful()
	in.letGo()
	if in.leaving && len(in.view.due) > 0 && !in.host.Draining.Load() && !in.leftHeld() {
		in.wakeLater()
		return
	}
	in.leave()
}

// leave says that nothing is left to do, and why not if something is pending. The activator takes the instance from its
// table, unless a message is on its way: then the instance goes on when it comes.
func (in *instance) leave() {
	in.acknowledgeLeft()
	in.leaving = true
	in.host.Engine.Idle(in.id, in.pid, in.carryover.Received)
}

// wakeLater keeps an instance in memory that knows of due timers and may not run yet, and wakes it when it may. If it
// left instead, the dispatcher would not tell it of these timers again.
func (in *instance) wakeLater() {
	d := time.Duration(in.view.notBeforeMs-in.host.now().UnixMilli()) * time.Millisecond
	if !in.view.known || !in.host.backsOff(in.view.notBeforeMs) {
		d = in.host.Config.TurnLease
	}
	in.outstanding++
	in.later = in.host.Config.Clock.AfterFunc(d, func() { in.send(&againMsg{wake: true}) })
}

// wakeNoMore ends the wait of wakeLater when the engine stops. The stop waits until no instance is active.
func (in *instance) wakeNoMore() {
	if in.later != nil && in.host.Draining.Load() && in.later.Stop() {
		in.later = nil
		in.outstanding--
	}
}

// retreat drops what is in memory and leaves: another owner has the instance, or this process can do nothing for it.
func (in *instance) retreat() {
	in.leaving, in.told.lost, in.told.held = true, true, false
	in.discard(false)
}

// reload drops what is known and reads it again: something is to be done, and the view cannot tell what.
func (in *instance) reload() {
	in.unpark()
	in.news.add()
	in.discard(false)
}

// discard drops the machine, if there is one, and with it what is known (unless keep). Its coroutines are unwound
// elsewhere, and the instance does nothing until that is done or has been given up.
func (in *instance) discard(keep bool) {
	m := in.machine
	in.machine, in.consumer = nil, nil
	in.uncharge()
	if !keep {
		in.view.forget()
	}
	in.phase = phaseUnknown
	if keep {
		in.phase = phaseReady
	}
	if m == nil || m.Ended() {
		return
	}
	after := in.phase
	in.phase = phaseClosing
	in.outstanding++
	in.host.unwind(m, func() { in.send(&closedMsg{after}) })
}

// closedMsg says that a machine has been unwound, or that the instance need not wait for it any longer.
type closedMsg struct{ after phase }

func (in *instance) closed(m *closedMsg) {
	if in.phase == phaseClosing {
		in.phase = m.after
	}
}

// unwindFor is how long an eviction waits for the deferred functions of the author's code.
const unwindFor = time.Second

// unwind closes a machine on a goroutine for user code, and calls done when it is closed or after a second.
func (h *Host) unwind(m *replay.Machine, done func()) {
	once := newFirst(done)
	timer := h.Config.Clock.AfterFunc(unwindFor, func() {
		once.call(func() {
			h.Counts.LeakedCoroutines.Add(1)
			h.Config.Logger.Error("a coroutine was not unwound in time: a deferred function of an orchestration blocks")
		})
	})
	h.Run.Run(func() { h.closeMachine(m) }, func() { once.call(func() { timer.Stop() }) })
}

// afterPanic goes on after a restart. msg is the message whose handling panicked; what it reports has happened, and
// is taken note of as simply as can be. The state in memory may be half changed, so it is loaded again. It may panic
// itself: then it is called again.
func (in *instance) afterPanic(msg any) {
	in.failed++
	err := fmt.Errorf("%w: the instance's actor failed; see the log", persistence.ErrUncertain)
	in.unpark()
	switch m := msg.(type) {
	case *startMsg, *deliverMsg, *resultMsg:
		if a := newArrival(m, in.host.elapsed()); !in.has(a) {
			in.buffer.add(a)
		}
	case *timerMsg:
		in.view.timerDue(m.key)
	case *acceptMsg:
		in.acceptLost(m.arrival, err)
	case *turnMsg:
		in.dropTurn(m.turn, err, m.abandoned)
	case *againMsg:
		in.dropTurn(m.turn, err, false)
	case *commitMsg:
		if m.result.Err == nil {
			m.turn.answerRest() // in.turn may be nil or a later turn by now: dropTurn does not answer for this one then
		}
		in.dropTurn(m.turn, err, false)
	}
	if in.turn == nil {
		in.reload()
	}
	in.leaving = false
	if in.failed > PanicsMax {
		in.answerUnproposed(err)
		in.leaving = true
	}
	in.step()
}

// dropTurn gives up the turn whose message was lost to a panic: it may or may not have been committed. The turn in flight
// may be a later one, which had begun when the actor panicked: that one goes on.
func (in *instance) dropTurn(t *turn, err error, abandoned bool) {
	if t == nil || in.turn != t {
		return
	}
	for _, a := range t.arrivals {
		a.answer(err, false)
	}
	in.turn, in.machine = nil, nil
	switch {
	case abandoned: // its code still runs, so its machine is the slot's
		in.abandon = &abandonPlan{token: t.token, counts: true}
	case t.machine != nil && !t.machine.Ended():
		in.machine = t.machine
	}
	t.endCareful()
}

// answerRest answers those senders of a committed turn that a panic has kept from their answer.
func (t *turn) answerRest() {
	for _, a := range t.arrivals {
		a.answer(nil, false)
	}
	t.endCareful()
}

// acceptLost takes note of an accept whose result was lost to a panic, wholly or in part. A turn that has taken the
// message cannot know what became of it, and runs again.
func (in *instance) acceptLost(a *arrival, err error) {
	if a.state != arrivalUnproposed {
		a.answer(err, false)
	}
	in.refuseTaken(a.state == arrivalAnswered && in.turn != nil && in.turn.has(a))
	in.buffer.settle()
	if in.phase == phaseSettling {
		in.settle()
	}
}

// has says whether a message is held already, or was taken by the turn in flight.
func (in *instance) has(a *arrival) bool {
	for _, b := range in.buffer.items {
		if a.sameAs(b) {
			return true
		}
	}
	if in.turn != nil {
		for _, b := range in.turn.arrivals {
			if a.sameAs(b) {
				return true
			}
		}
	}
	return false
}

// PanicsMax is how often in a row an actor may fail before it answers what it holds and leaves.
const PanicsMax = 3

// sameAs says whether two arrivals wrap the same message.
func (a *arrival) sameAs(b *arrival) bool {
	return a.start == b.start && a.deliver == b.deliver && a.result == b.result
}
