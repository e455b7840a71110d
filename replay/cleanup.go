package replay

import (
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// CleanupTime is how long the undo steps of an execution may take together, unless [Context.Cleanup] says otherwise.
const CleanupTime = 10 * time.Minute

// undoStep is what undoes a part of what code has done.
type undoStep struct {
	event uint64 // the event that records it; 0 for the step of the registration
	run   func(*Context) error
}

// cleanup is what an execution is in when its end is decided and its undo steps run.
type cleanup struct {
	event   uint64           // that fixes the end
	sinceMs int64            // the time of its turn
	began   uint64           // seq of the last action before it: what the code left unresolved is given up, and no longer counted
	outcome *turnpb.Failure  // how the execution ends
	left    []undoStep       // those that have not begun; the last one is next
	at      undoStep         // the one that has begun last
	co      *coroutine       // of the step that runs; nil if none does
	result  *turnpb.Failure  // why the step failed by itself
	failed  *turnpb.Failure  // why the step that runs is to be ended
	stop    *turnpb.CodeStop // where a limit stopped that step; nil if none did
	timer   *Future
	expired bool
	over    bool
}

// registered is the undo step of the registration, and how long all steps may take together.
type registered struct {
	run     func(*Context, *turnpb.Failure) error
	timeout time.Duration
}

// Compensate adds an undo step. If the execution does not end well, the steps run, the last one first; see the package's
// documentation. A step may ask for what the code may ask for, but it adds no steps and does not continue as new.
func (c *Context) Compensate(run func(*Context) error) {
	m := c.m
	m.enter(c.co)
	if m.cleanup != nil {
		panic("an undo step added an undo step")
	}
	m.emit(c.co, &Future{kind: opPush, more: &details{result: run}})
}

// Cleanup adds the undo step of the registration, which runs last of all, and says how long all steps may take together: 0
// is [CleanupTime], a negative time is no bound. The handler calls it before anything else. No event records it: the
// started event does, so an execution that began without it has none.
func (c *Context) Cleanup(run func(ctx *Context, why *turnpb.Failure) error, timeout time.Duration) {
	m := c.m
	m.enter(c.co)
	if m.fresh {
		m.started.Cleanup = !m.verifying || m.tidy
	}
	if m.started.GetCleanup() {
		m.registered = &registered{run, timeout}
	}
}

// Outcome is how an execution ends whose undo steps run; nil before that.
func (m *Machine) Outcome() *turnpb.Failure {
	if m.cleanup == nil {
		return nil
	}
	return m.cleanup.outcome
}

// CleanupState is how far an execution is whose undo steps run.
type CleanupState struct {
	// Event fixes how the execution ends, at the time SinceMs.
	Event   uint64
	SinceMs int64
	// DeadlineMs is when the time for all steps is over; 0 is never.
	DeadlineMs int64
	// Left counts the steps that have not ended.
	Left int
}

// CleanupState says how far the undo steps are; the zero value if none run.
func (m *Machine) CleanupState() (s CleanupState) {
	c := m.cleanup
	if c == nil {
		return s
	}
	s = CleanupState{Event: c.event, SinceMs: c.sinceMs, Left: len(c.left)}
	if c.co != nil {
		s.Left++
	}
	if c.timer != nil {
		s.DeadlineMs = c.timer.fireAtMs
	}
	return s
}

// mayCompensate reports whether the execution has undo steps that would run at a bad end.
func (m *Machine) mayCompensate() bool {
	if m.cleanup != nil || m.forced || m.codeless || m.divergence != nil {
		return false
	}
	if len(m.steps) > 0 || m.started.GetCleanup() {
		return true
	}
	for _, f := range m.queue[m.head:] {
		if f.kind == opPush {
			return true
		}
	}
	return false
}

// cause is what undo steps run for; unspecified if they do not run.
func (m *Machine) cause() turnpb.CompensationCause {
	if !m.mayCompensate() {
		return turnpb.CompensationCause_COMPENSATION_CAUSE_UNSPECIFIED
	}
	return m.causeOf(m.ending())
}

func (m *Machine) causeOf(end ending) turnpb.CompensationCause {
	switch {
	case end == endReturned && m.failed != nil && !m.overOutput:
		return turnpb.CompensationCause_COMPENSATION_CAUSE_ERROR
	case end == endPanicked:
		return turnpb.CompensationCause_COMPENSATION_CAUSE_PANIC
	case end == endCancelled:
		return turnpb.CompensationCause_COMPENSATION_CAUSE_CANCEL
	case end == endFatal && !m.overLimit:
		return turnpb.CompensationCause_COMPENSATION_CAUSE_ABORT
	case end == endFatal, end == endReturned && m.overOutput:
		return turnpb.CompensationCause_COMPENSATION_CAUSE_LIMIT
	default:
		return turnpb.CompensationCause_COMPENSATION_CAUSE_UNSPECIFIED
	}
}

// compensate lets the undo steps run if the execution has ended badly in this turn. What code had asked for is recorded
// first, as at a cancel: it is part of what is replayed.
func (m *Machine) compensate() {
	cause := m.cause()
	if cause == turnpb.CompensationCause_COMPENSATION_CAUSE_UNSPECIFIED {
		return
	}
	for f := m.take1(); f != nil; f = m.take1() {
		m.record(f)
	}
	k := &turnpb.CompensationStarted{Failure: m.outcome(m.ending()), Cause: cause, Stop: m.stopped}
	id := m.takeID()
	m.d.Events = append(m.d.Events, &turnpb.Event{Id: id, Kind: &turnpb.Event_CompensationStarted{CompensationStarted: k}})
	m.d.CleansUp = k.GetFailure()
	m.beginCleanup(id, k.GetFailure())
}

// outcome is the failure of a bad end.
func (m *Machine) outcome(end ending) *turnpb.Failure {
	switch end {
	case endCancelled:
		return failure.Cancelled(*m.cancelled)
	case endPanicked:
		return m.bounded(m.panicked)
	case endReturned:
		return m.bounded(m.failed)
	default:
		return m.fatal
	}
}

// applyCompensation takes the event of history that fixes the end.
func (m *Machine) applyCompensation(e *turnpb.Event, k *turnpb.CompensationStarted) *turnpb.Failure {
	if m.forced || m.codeless || m.divergence != nil {
		m.closeOpen(endOf(k.GetCause()))
		m.cleanup = &cleanup{outcome: k.GetFailure()}
		return nil
	}
	m.noteContinue()
	if m.head < len(m.queue) {
		return m.diverged(e, m.take1(), "the kinds differ")
	}
	end := m.ending()
	limit := k.GetCause() == turnpb.CompensationCause_COMPENSATION_CAUSE_LIMIT && (end == endFatal || end == endReturned)
	if m.cleanup != nil || !limit && m.causeOf(end) != k.GetCause() {
		return failure.Nondeterminism(KindName(e), fmt.Sprintf(
			"event %d says that the code ended (%s) and its undo steps run: the code has not ended so", e.GetId(), k.GetCause()))
	}
	m.beginCleanup(e.GetId(), k.GetFailure())
	return nil
}

// endOf is the way of ending that a cause stands for.
func endOf(c turnpb.CompensationCause) ending {
	switch c {
	case turnpb.CompensationCause_COMPENSATION_CAUSE_ERROR:
		return endReturned
	case turnpb.CompensationCause_COMPENSATION_CAUSE_PANIC:
		return endPanicked
	case turnpb.CompensationCause_COMPENSATION_CAUSE_CANCEL:
		return endCancelled
	default:
		return endFatal
	}
}

// beginCleanup ends the code, gives up what it left open, and begins with the first step. A new turn and a replayed one do
// the same.
func (m *Machine) beginCleanup(event uint64, outcome *turnpb.Failure) {
	if m.started.GetCleanup() && m.registered == nil {
		m.failTurn(failure.Nondeterminism("OrchestrationStarted",
			"event 1 says that the handler has a cleanup step: the code has none (WithCleanup)"))
		return
	}
	end := m.ending()
	m.unwindAll()
	if m.fresh {
		m.giveUpDropped()
	} else {
		m.dropTimers()
	}
	m.closeOpen(end)
	for _, e := range m.open.all {
		if e.f != nil {
			e.f.unlink()
		}
	}
	if m.fresh {
		m.writeCrumbs()
		m.dispatch(end)
	}
	clear(m.bound)
	m.bound, m.pending, m.pendingGo = m.bound[:0], 0, 0
	m.fatal, m.inherited, m.panicked, m.failed, m.output = nil, nil, nil, nil, nil
	m.overLimit, m.overOutput, m.continuing, m.next, m.stopped = false, false, false, nil, nil
	m.resumptions = 0
	c := &cleanup{event: event, sinceMs: m.nowMs, outcome: outcome, left: m.steps, began: m.seq}
	if last := m.registered; last != nil {
		c.left = append([]undoStep{{run: func(ctx *Context) error { return last.run(ctx, outcome) }}}, m.steps...)
	}
	m.cleanup, m.steps = c, nil
	m.startCleanupTimer()
	m.nextStep()
}

// startCleanupTimer starts the timer that all steps run under.
func (m *Machine) startCleanupTimer() {
	var d time.Duration
	if m.registered != nil {
		d = m.registered.timeout
	}
	if d == 0 {
		d = CleanupTime
	}
	if d > 0 {
		m.cleanup.timer = &Future{kind: opTimer, fireAtMs: m.fireAt(d)}
		m.ask(m.cleanup.timer)
	}
}

// unwindAll ends all coroutines, the newest first: their deferred functions run, and cannot ask for anything.
func (m *Machine) unwindAll() {
	m.code = codeStopped
	for m.newest != nil {
		co := m.newest
		m.unwind(co)
		if co.future != nil {
			m.lost = append(m.lost, co.future)
		}
	}
	for _, f := range m.lost {
		if f.state == pending {
			f.drop() // an undo step may wait for it
		}
	}
	m.lost, m.heap = nil, nil
}

// nextStep begins the next step, or ends the cleanup.
func (m *Machine) nextStep() {
	c := m.cleanup
	for c.expired && len(c.left) > 0 {
		m.popStep()
		m.recordFailed(failureExpired("before it began"), nil)
	}
	if len(c.left) == 0 {
		c.over = true
		m.code = codeStopped
		return
	}
	m.popStep()
	m.code = codeRunning
	c.result = nil
	run := c.at.run
	c.co = m.spawn(func(ctx *Context) (any, error) {
		// The error's text is the author's code: it is asked for here, where a panic of it is caught.
		c.result = failure.FromError(turnpb.ApplicationKind_APPLICATION_KIND_ORCHESTRATION_FAILED, run(ctx))
		return nil, nil
	}, nil)
}

func (m *Machine) popStep() {
	c := m.cleanup
	last := len(c.left) - 1
	if plantedUndo && c.at.event != c.left[last].event {
		c.at = c.left[last]
		return
	}
	c.at, c.left = c.left[last], c.left[:last]
}

// finishStep takes note of a step that returned. What it left open is given up, as when a handler returns.
func (m *Machine) finishStep(co *coroutine) {
	c := m.cleanup
	c.co = nil
	m.code = codeStopped
	m.cancelFrom(co, 0, true)
	m.heap = nil
	if c.result != nil {
		m.recordFailed(c.result, nil)
	}
	m.nextStep()
}

// stopStep ends the step that runs, which has failed. If code has control, the step ends when control is back.
func (m *Machine) stopStep(why *turnpb.Failure, stop *turnpb.CodeStop) {
	c := m.cleanup
	if c.co == nil || c.failed != nil {
		return
	}
	c.failed, c.stop = why, stop
	m.code, m.heap, m.resumptions = codeStopped, nil, 0
	if m.current == nil {
		m.failStep()
	}
}

// failStep gives up what a step that failed has asked for, and unwinds it.
func (m *Machine) failStep() {
	c := m.cleanup
	why, stop, co := c.failed, c.stop, c.co
	c.failed, c.stop, c.co = nil, nil, nil
	m.cancelFrom(co, 0, true)
	m.unwind(co)
	m.heap = nil
	m.recordFailed(why, stop)
	m.nextStep()
}

// expire ends the cleanup: its time is over.
func (m *Machine) expire() {
	m.cleanup.expired = true
	m.stopStep(failureExpired("before it was done"), nil)
}

func failureExpired(when string) *turnpb.Failure {
	return failure.Application(turnpb.ApplicationKind_APPLICATION_KIND_ORCHESTRATION_FAILED,
		"the time for the undo steps was over "+when)
}

// recordFailed records that the step that began last has failed.
func (m *Machine) recordFailed(why *turnpb.Failure, stop *turnpb.CodeStop) {
	if m.d != nil && m.fresh {
		m.d.FailedSteps = append(m.d.FailedSteps, why)
	}
	m.ask(&Future{kind: opUndone, more: &details{result: &turnpb.CompensationFailed{
		Pushed: m.cleanup.at.event, Failure: m.smaller(why), Stop: stop}}})
}

// ask queues what the engine itself asks for.
func (m *Machine) ask(f *Future) {
	f.m = m
	m.seq++
	f.seq = m.seq
	m.queue = append(m.queue, f)
}

// settleCleanup lets steps run on as long as the end of the turn itself makes them.
func (m *Machine) settleCleanup() {
	for m.cleanup != nil && m.fatal == nil && m.spoiled.Load() == nil && (len(m.heap) > 0 || m.head < len(m.queue)) {
		m.poll()
		m.drain()
	}
}
