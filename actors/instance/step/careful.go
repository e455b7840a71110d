package step

import (
	"errors"
	"slices"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"
)

// leaseMsg brings the answer to LeaseTurn; asked are the due timers that the command named.
type leaseMsg struct {
	asked  []persistence.TimerKey
	result persistence.Result
}

func (m *leaseMsg) Answered(r persistence.Result) { m.result = r }

// AdmitMsg says that a suspect may run now. Release lets the next suspect run.
type AdmitMsg struct{ Release func() }

// stepCareful accepts what is buffered, waits until probation admits the instance, and then takes a lease. The lease
// counts the attempt before the code runs, so an attempt that kills its process is counted. An instance that waits for
// admission has not been counted yet: a crash that another suspect causes meanwhile does not use up its attempts.
func (in *Machine) stepCareful() {
	switch {
	case len(in.buffer.items) > 0:
		in.acceptAll()
	case !in.suspect:
		in.askAdmission()
	default:
		in.lease()
	}
}

// askAdmission asks probation to admit the instance. Most instances hold only their head while they wait. One that holds
// more gives back its part of the memory budget, although it keeps the data: the suspect that runs may wait for it.
func (in *Machine) askAdmission() {
	in.uncharge()
	in.become(phaseAdmitting)
	m := &AdmitMsg{}
	in.awaiting = m
	in.emit(Effect{Kind: EffectAskAdmission, Message: m, Number: uint64(in.view.Attempts)})
}

func (in *Machine) admitted(m *AdmitMsg) {
	if in.awaiting != m {
		in.emit(Effect{Kind: EffectEndCareful})
		return
	}
	in.awaiting, in.tries = nil, false
	in.become(phaseReady)
	in.suspect = true
}

func (in *Machine) lease() {
	v := &in.view
	in.become(phaseLeasing)
	m := &leaseMsg{asked: slices.Clone(v.Due)}
	in.awaiting = m
	in.emit(Effect{Kind: EffectPropose, Message: m, Command: &persistence.LeaseTurn{
		IID: v.Head.IID, Execution: v.Head.Execution, Turn: v.Head.Turn, TTLMs: in.host.Config.TurnLease.Milliseconds(),
		Holder: persistence.Holder{Node: in.host.Config.Node, Process: in.host.Config.Process, Consumer: in.consumer.ID},
		Nonce:  in.facts.Nonce(), Due: m.asked,
	}})
}

// leaseDone takes the answer to LeaseTurn and starts the turn under the lease.
func (in *Machine) leaseDone(m *leaseMsg) {
	if in.awaiting != m {
		return
	}
	in.awaiting = nil
	in.become(phaseReady)
	r := m.result
	switch {
	case r.Err == nil:
	case errors.Is(r.Err, persistence.ErrBusy):
		in.pause()
		return
	case errors.Is(r.Err, persistence.ErrConflict), errors.Is(r.Err, persistence.ErrNotFound):
		in.countRefusal(r.Err)
		in.unpark()
		in.endCareful()
		in.reload()
		return
	default:
		in.expel(r.Err)
		return
	}
	in.host.Counts.CarefulTurns.Add(1)
	in.token = r.Token
	// A timer that came due after the proposal is not in the answer: it stays due.
	in.view.Due = append(r.Due, slices.DeleteFunc(in.view.Due, func(key persistence.TimerKey) bool {
		return slices.Contains(m.asked, key)
	})...)
	in.view.Attempts = r.Attempts
	if r.Attempts > in.host.Config.MaxAttempts {
		in.forcedEnd = in.poison(r.Attempts)
		return
	}
	in.watched = true
	in.emit(Effect{Kind: EffectWatchLease, Token: r.Token}) // the journal refuses the commit if the lease is lost
	if in.view.Partial {
		return // the next step reads the history under the lease
	}
	in.unpark()
	in.startTurn(nil)
}

// endCareful stops the renewal of the lease and gives back the admission to probation. It does not end the lease itself: an
// abandon or the lease's expiry does.
func (in *Machine) endCareful() {
	in.emitEndCareful(in.watched || in.suspect)
	in.token, in.watched, in.suspect = "", false, false
}

func (in *Machine) emitEndCareful(careful bool) {
	if careful {
		in.emit(Effect{Kind: EffectEndCareful})
	}
}

// endCarefulOf does what endCareful does for a turn that has taken over the lease and the admission.
func (in *Machine) endCarefulOf(t *turn.Turn) {
	in.emitEndCareful(t.Watched || t.Admitted)
	t.Watched, t.Admitted = false, false
}

// giveUpLease gives the lease back. The attempt does not count, because no code ran under the lease.
func (in *Machine) giveUpLease() {
	if in.token != "" {
		in.abandon = &abandonPlan{token: in.token}
	}
	in.endCareful()
}

// giveUpOrphanLease gives back a lease that this process took and that no turn holds any more, because the actor panicked
// or the answer came too late. The attempt counts, because code may have run under the lease. The instance does not wait
// for the lease to expire: after the wall clock is set back, that could take long.
func (in *Machine) giveUpOrphanLease() {
	if in.view.OrphanLease != "" && in.token == "" && in.abandon == nil {
		in.abandon = &abandonPlan{token: in.view.OrphanLease, counts: true, orphan: true}
	}
	in.view.OrphanLease = ""
}

// abandonPlan is an AbandonTurn that the machine proposes as soon as it knows the durable state.
type abandonPlan struct {
	token  persistence.Token
	counts bool
	// delayMs replaces the backoff of a counted attempt; 0 means the backoff.
	delayMs int64
	// quiet: the instance has nothing left to do. The dispatcher must not tell it of the abandon: the instance would load,
	// find nothing, take a lease and give that back, again and again.
	quiet bool
	// orphan: the lease may have ended since it was read, so ErrLeaseLost is not an error.
	orphan bool
	// reason says why the instance is held from now on; empty: it is not held.
	reason string
	// attaches, with a reason: Machine.attaches when the reason was found. If a runtime has attached since, the instance is
	// tried again.
	attaches uint64
}

// abandonMsg brings the answer to AbandonTurn.
type abandonMsg struct {
	plan    *abandonPlan
	delayMs int64
	// notBeforeMs is when the delay ends, or a moment earlier. It counts from the proposal, as the journal does. If it counted
	// from the answer, it could lie after the dispatcher's retry; that retry comes once, so the instance would never run again.
	notBeforeMs int64
	result      persistence.Result
}

func (m *abandonMsg) Answered(r persistence.Result) { m.result = r }

// proposeAbandon proposes the planned AbandonTurn. After each counted attempt the wait for the next one is longer.
func (in *Machine) proposeAbandon() {
	plan := in.abandon
	if len(in.buffer.items) > 0 || in.accepting > 0 {
		return // the buffered messages are accepted first
	}
	in.abandon = nil
	v := &in.view
	m := &abandonMsg{plan: plan, delayMs: plan.delayMs}
	if plan.counts && m.delayMs == 0 {
		attempt := v.Attempts
		if plan.token == "" {
			attempt++
		}
		m.delayMs = dispatch.BackoffMs(in.host.Config.BackoffBase.Milliseconds(), in.host.Config.BackoffMax.Milliseconds(), attempt)
	}
	if plan.reason == "" && v.Held.Reason != "" {
		m.delayMs = max(m.delayMs, 1) // the instance stays held, and without a time it would never be tried again
		plan.quiet = false
	}
	m.notBeforeMs = in.facts.NowMs() + m.delayMs
	if plan.quiet {
		in.emit(Effect{Kind: EffectGivingBack, Number: uint64(v.Head.IID)})
	}
	in.become(phaseAbandoning)
	in.awaiting = m
	in.emit(Effect{Kind: EffectPropose, Message: m, Command: &persistence.AbandonTurn{
		IID: v.Head.IID, Execution: v.Head.Execution, Turn: v.Head.Turn, Token: plan.token,
		DelayMs: m.delayMs, Counts: plan.counts, Reason: plan.reason, Build: in.buildOf(plan),
	}})
}

func (in *Machine) abandonDone(m *abandonMsg) {
	if in.awaiting != m {
		return
	}
	in.awaiting = nil
	in.become(phaseReady)
	if m.plan.quiet && m.result.Err != nil {
		in.emit(Effect{Kind: EffectKeptLease, Number: uint64(in.view.Head.IID)})
	}
	switch err := m.result.Err; {
	case err == nil && m.plan.reason != "":
		in.tryAgain = in.tryAgain || m.plan.attaches != in.facts.Attaches() && !plantedAttach
		in.leaving = false // a cancel that came meanwhile must take effect at once
		in.reload()
	case err == nil:
		if m.plan.counts && m.plan.token == "" {
			in.view.Attempts++
		}
		if m.delayMs > 0 {
			in.view.NotBeforeMs = m.notBeforeMs
			in.leaving = m.notBeforeMs > in.facts.NowMs()
		}
	case errors.Is(err, persistence.ErrBusy):
		in.abandon = m.plan
		in.pause()
	case errors.Is(err, persistence.ErrConflict), errors.Is(err, persistence.ErrNotFound),
		m.plan.orphan && errors.Is(err, persistence.ErrLeaseLost):
		in.countRefusal(err)
		in.unpark()
		in.reload() // another activation has moved the instance on: this one has nothing left to give back
	default:
		in.expel(err)
	}
}

// pause waits a moment before the next step, because the journal's queue is full.
func (in *Machine) pause() { in.pauseFor(BusyPause) }

func (in *Machine) pauseFor(d time.Duration) {
	in.become(phasePausing)
	in.pausing = &TickMsg{Kind: TickPause}
	in.arm(in.pausing, d)
}

// endPause ends a pause early when the engine stops, because no turn starts any more.
func (in *Machine) endPause() {
	if in.phase == phasePausing && in.facts.Draining() {
		in.disarm(in.pausing)
		in.paused()
	}
}

// paused ends a pause, and lets the next step decide what to do.
func (in *Machine) paused() {
	in.pausing = nil
	if in.view.Known {
		in.become(phaseReady)
	} else {
		in.become(phaseUnknown)
	}
}
