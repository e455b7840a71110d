package partition

import (
	"context"
	"slices"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// activity is one activity in a slot: from the grant until its result is recorded or void.
//
//	leasing    a lease is taken before the code runs (careful mode)
//	reading    its input is read, if the effect that announced the work did not bring it
//	running    user code runs; after LeaseAfter under a grant a lease is taken in the background
//	stopping   the code was told to stop and has not ended
//	answering  the code has ended; its result is on the way to the instance
//	over       the result is recorded or void, or the work was given back
//
// All of it belongs to the partition's actor, except outcome, which the code writes before its end is posted.
type activity struct {
	s     *serving
	c     *consumer.Attached // nil for a result that no code made (poison)
	item  persistence.WorkItem
	phase activityPhase

	// The row's fence expects these: the token of our lease, or, without one, the attempts and this epoch.
	token    persistence.Token
	attempts uint32
	// fromScan: an epoch that did not end cleanly left the work. That epoch may have granted it without a lease, and such an
	// attempt is not in attempts.
	fromScan bool

	slot      bool   // a slot of the consumer is held
	ticket    uint64 // of the probation, until the code has ended
	leasing   bool   // our own LeaseWork is unanswered: no result leaves before its answer
	stopCause error  // why the code was told to stop
	cancel    context.CancelCauseFunc
	call      *activityCall // of the code that runs, or ran
	outcome   *activityOutcome
	sent      bool // the result has been sent to the instance
	retries   int
	leaseAt   *alarm
	graceEnd  *alarm

	// Of the timeouts: when the code must have ended, and the bound that has passed while leasing.
	deadline  time.Time
	expired   persistence.ExpiryKind
	timeoutAt *alarm
	beatAt    *alarm
	// Of heartbeats: when the last details were recorded, in elapsed time (0: none were), and whether some wait for the lease.
	recordedAt int64
	beatWaits  bool
	recordAt   *alarm
}

type activityPhase uint8

const (
	activityLeasing activityPhase = iota
	activityReading
	activityRunning
	activityStopping
	activityAnswering
	activityOver
)

// begin takes a grant from the dispatcher; a slot of the consumer is held.
func (s *serving) begin(c *consumer.Attached, g dispatch.Grant) {
	a := &activity{s: s, c: c, item: g.Item, attempts: g.Item.Attempts, slot: true, ticket: g.Ticket}
	s.activities[a.item.Key] = a
	if g.Lease {
		a.fromScan = g.Item.Orchestration == "" // it came from a scan, not with the commit that scheduled it
		a.phase = activityLeasing
		s.p.counts.carefulActivities.Add(1)
		a.takeLease()
		return
	}
	a.prepare()
}

// prepare runs the code, or first reads its input.
func (a *activity) prepare() {
	if a.item.Orchestration == "" {
		a.phase = activityReading
		a.readInput()
		return
	}
	a.run()
}

// run gives the code to the runner.
func (a *activity) run() {
	if a.c == a.s.builtin {
		a.readKV()
		return
	}
	fn, ok := a.c.Handlers.Activity(a.item.Name)
	if !ok {
		a.putBack(0)
		return
	}
	if left, bounded := a.timeLeft(); bounded && left <= 0 {
		a.endProbation()
		a.takeOutcome(a.timedOut(persistence.ExpiredScheduleToClose))
		return
	}
	ctx, cancel := context.WithCancelCause(a.c.Base)
	a.cancel, a.phase = cancel, activityRunning
	cfg := &a.s.host.Config
	if a.token == "" {
		a.leaseAt = a.s.alarms.set(a.s.now()+cfg.LeaseAfter.Milliseconds(), a.takeLease)
	}
	call := &activityCall{fn: fn, ctx: ctx, of: a, input: a.item.Input, limits: &cfg.Limits, before: a.item.Heartbeat}
	a.call, a.item.Input = call, nil
	if a.item.Deadlines != (persistence.Deadlines{}) {
		call.heart.beatMs.Store(a.s.now())
		call.ctx = a.watchTime(ctx)
	}
	call.info = a.info()
	a.s.p.counts.activities.Add(1)
	a.s.host.Run.Run(call.run, func() { a.s.p.postLast("activity ended", func() { a.ended(call.outcome) }) })
}

func (a *activity) info() consumer.ActivityInfo {
	i := &a.item
	delivery := a.attempts
	if a.token == "" {
		delivery++ // a lease has counted this delivery; a grant counts none
	}
	if a.fromScan {
		delivery++
	}
	first := i.FirstEvent
	if first == 0 {
		first = i.Key.Event
	}
	return consumer.ActivityInfo{
		Instance: i.ID, Incarnation: uint64(i.Key.IID), Execution: i.Key.Execution, Event: i.Key.Event, FirstEvent: first,
		Orchestration: i.Orchestration, Version: i.Version, Name: i.Name, Attempt: max(i.Attempt, 1), Delivery: delivery,
		Worker: a.c.ID, Tag: textOf(i.Tag), Session: textOf(i.Session), Deadline: a.deadline,
		HeartbeatTimeout: time.Duration(i.Deadlines.HeartbeatMs) * time.Millisecond,
	}
}

func textOf(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// ended takes the end of the code. It comes also after the epoch has ended, and after the slot was given up.
func (a *activity) ended(outcome *activityOutcome) {
	a.cancel(nil)
	if a.phase == activityOver { // given up, or its epoch has ended
		a.s.p.counts.leakedActivities.Add(^uint64(0))
		return
	}
	a.cancelAlarms()
	a.endProbation()
	switch {
	case a.stopCause == nil:
		a.takeOutcome(outcome)
	case a.stopCause == ErrActivityCancelled, a.stopCause == errActivityTimedOut:
		a.close()
	case a.stopCause == ErrActivityLeaseLost:
		a.putBack(0)
	case outcome.failed: // an error after the code was told to stop by a shutdown is no failure of the activity
		a.putBack(0)
	default:
		a.takeOutcome(outcome)
	}
}

// takeOutcome takes a result and sends it, unless a lease is being taken. It frees the slot for the next activity, unless
// too many results wait to be recorded.
func (a *activity) takeOutcome(outcome *activityOutcome) {
	a.phase, a.outcome = activityAnswering, outcome
	if a.s.answering.add(len(outcome.encoded)) {
		a.freeSlot()
	}
	if !a.leasing {
		a.answer()
	}
}

// answer sends the result to the instance.
func (a *activity) answer() {
	if a.phase != activityAnswering || a.sent {
		return
	}
	result := consumer.Result{
		Key: a.item.Key, Token: a.token, Epoch: a.s.epoch, Attempts: a.attempts,
		Message: a.outcome.message, Encoded: a.outcome.encoded,
	}
	result.Reply = func(err error) { a.s.post("result answered", func() { a.answered(err) }) }
	a.sent = true
	if err := a.s.host.Engine.TellResult(a.item.ID, result); err != nil {
		a.sent = false
		a.retry(a.answer)
	}
}

// putBack gives the work back without a result; it is granted again, but not before notBefore. A lost lease is given back,
// too, and its attempt counts: if the wall clock was set back, the lease would otherwise last much longer.
func (a *activity) putBack(notBefore int64) {
	s, key := a.s, a.item.Key
	token, attempts := a.token, a.attempts
	lost := a.stopCause == ErrActivityLeaseLost
	a.close()
	if token == "" || s.ended {
		s.d.Release(s.now(), key, notBefore)
		return
	}
	s.abandonWork(&persistence.AbandonWork{Key: key, Token: token, Attempts: attempts, Counts: lost}, notBefore)
}

// close releases the slot, the lease, the alarms and the ticket of the activity. It does not change its entry at the
// dispatcher.
func (a *activity) close() {
	if a.phase == activityOver {
		return
	}
	if a.phase == activityAnswering {
		a.s.answering.remove(len(a.outcome.encoded))
	}
	a.phase = activityOver
	a.cancelAlarms()
	a.dropLease()
	a.freeSlot()
	a.endProbation()
	if a.s.activities[a.item.Key] == a {
		delete(a.s.activities, a.item.Key)
	}
	if a.stopCause == errActivityTimedOut {
		a.s.leaving = slices.DeleteFunc(a.s.leaving, func(other *activity) bool { return other == a })
	}
}

func (a *activity) cancelAlarms() {
	for _, set := range [...]*alarm{a.leaseAt, a.graceEnd, a.timeoutAt, a.beatAt, a.recordAt} {
		set.cancel()
	}
}

func (a *activity) freeSlot() {
	if a.slot {
		a.slot = false
		a.c.Activities.Release()
	}
}

func (a *activity) endProbation() {
	if a.ticket != 0 {
		a.s.suspects.Done(a.ticket)
		a.ticket = 0
	}
}

// retryPauseMs and retryPauseMaxMs bound the pause after the journal or an instance was busy. It doubles each time.
const (
	retryPauseMs    = 10
	retryPauseMaxMs = 1000
)

// retry calls again after a pause.
func (a *activity) retry(again func()) {
	pause := min(int64(retryPauseMs)<<min(a.retries, 7), retryPauseMaxMs)
	a.retries++
	a.s.alarms.set(a.s.now()+pause, func() {
		if a.phase != activityOver {
			again()
		}
	})
}

// answering counts the results that wait to be recorded.
type answering struct {
	count int
	bytes int
}

// The bounds of the results that wait to be recorded. Beyond them, a slot is kept until its result is recorded.
const (
	answeringMax      = 1024
	answeringBytesMax = 16 << 20
)

// add counts a result, and reports whether its slot may be freed.
func (w *answering) add(size int) bool {
	w.count++
	w.bytes += size
	return w.count <= answeringMax && w.bytes <= answeringBytesMax
}

func (w *answering) remove(size int) {
	w.count--
	w.bytes -= size
}

// activityOutcome is the result or failure of an activity, encoded once.
type activityOutcome struct {
	message *turnpb.Message
	encoded []byte
	failed  bool
}
