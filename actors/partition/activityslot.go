package partition

import (
	"context"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// activity is one activity in a slot: from the grant until its result is recorded, or void.
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

	// What the row's fence expects: the token of our lease, or the attempts seen and this epoch.
	token    persistence.Token
	attempts uint32
	// found: an epoch that did not end cleanly left it. A grant of that epoch that took no lease was counted by nothing.
	found bool

	slot     bool   // a slot of the consumer is held
	ticket   uint64 // the gate's, until the code has ended
	leasing  bool   // our own LeaseWork is unanswered: no result leaves before its answer
	giveUp   error  // why the code was told to stop
	cancel   context.CancelCauseFunc
	outcome  *activityOutcome
	sent     bool // the result has been given to the instance
	retries  int
	leaseAt  *alarm
	graceEnd *alarm
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
		a.found = g.Item.Orchestration == "" // it came from a scan, not with the commit that scheduled it
		a.phase = activityLeasing
		s.p.counts.carefulActivities.Add(1)
		a.takeLease()
		return
	}
	a.prepare()
}

// prepare runs the code, or first reads what it needs.
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
	fn, ok := a.c.Handlers.Activity(a.item.Name)
	if !ok {
		a.putBack(0)
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	a.cancel, a.phase = cancel, activityRunning
	cfg := &a.s.host.Config
	if a.token == "" {
		a.leaseAt = a.s.alarms.set(a.s.now()+cfg.LeaseAfter.Milliseconds(), a.takeLease)
	}
	call := &activityCall{fn: fn, ctx: ctx, input: a.item.Input, limits: &cfg.Limits, info: a.info()}
	a.item.Input = nil
	a.s.p.counts.activities.Add(1)
	a.s.host.Run.Run(call.run, func() { a.s.p.postLast("activity ended", func() { a.ended(call.outcome) }) })
}

func (a *activity) info() consumer.ActivityInfo {
	i := &a.item
	delivery := a.attempts
	if a.token == "" {
		delivery++ // a lease has counted this delivery already, a grant never does
	}
	if a.found {
		delivery++
	}
	first := i.FirstEvent
	if first == 0 {
		first = i.Key.Event
	}
	return consumer.ActivityInfo{
		Instance: i.ID, Incarnation: uint64(i.Key.IID), Execution: i.Key.Execution, Event: i.Key.Event, FirstEvent: first,
		Orchestration: i.Orchestration, Version: i.Version, Name: i.Name, Attempt: max(i.Attempt, 1), Delivery: delivery,
		Worker: a.c.ID,
	}
}

// ended takes the end of the code. It comes also after the epoch has ended, and after the slot was given up.
func (a *activity) ended(outcome *activityOutcome) {
	a.cancel(nil)
	if a.phase == activityOver { // given up, or its epoch is over
		a.s.p.counts.leakedActivities.Add(^uint64(0))
		return
	}
	a.leaseAt.cancel()
	a.graceEnd.cancel()
	a.endTicket()
	switch {
	case a.giveUp == nil:
		a.keep(outcome)
	case a.giveUp == ErrActivityCancelled:
		a.close()
	case a.giveUp == ErrActivityLeaseLost:
		a.putBack(0)
	case outcome.failed: // told to stop by a shutdown: that its code then fails is no failure of the activity
		a.putBack(0)
	default:
		a.keep(outcome)
	}
}

// keep takes a result and sends it when it may leave. The slot is free for the next activity, unless too many results
// wait to be recorded.
func (a *activity) keep(outcome *activityOutcome) {
	a.phase, a.outcome = activityAnswering, outcome
	if a.s.answering.add(len(outcome.encoded)) {
		a.freeSlot()
	}
	if !a.leasing {
		a.answer()
	}
}

// answer gives the result to the instance.
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

// putBack gives the work back without having recorded anything: it is handed out again, not before a time. So is a lease
// that is lost, and its attempt counts: by the wall clock, which may have been set, it could last for long yet.
func (a *activity) putBack(notBefore int64) {
	s, key := a.s, a.item.Key
	token, attempts := a.token, a.attempts
	lost := a.giveUp == ErrActivityLeaseLost
	a.close()
	if token == "" || s.ended {
		s.d.Release(s.now(), key, notBefore)
		return
	}
	s.abandonWork(&persistence.AbandonWork{Key: key, Token: token, Attempts: attempts, Counts: lost}, notBefore)
}

// close ends what this activity holds. Its entry at the dispatcher is another matter.
func (a *activity) close() {
	if a.phase == activityOver {
		return
	}
	if a.phase == activityAnswering {
		a.s.answering.remove(len(a.outcome.encoded))
	}
	a.phase = activityOver
	a.leaseAt.cancel()
	a.graceEnd.cancel()
	a.dropLease()
	a.freeSlot()
	a.endTicket()
	if a.s.activities[a.item.Key] == a {
		delete(a.s.activities, a.item.Key)
	}
}

func (a *activity) freeSlot() {
	if a.slot {
		a.slot = false
		a.c.Activities.Release()
	}
}

func (a *activity) endTicket() {
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

// retry does something again after a pause.
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

// What may wait to be recorded before slots are kept until their result is.
const (
	answeringMax      = 1024
	answeringBytesMax = 16 << 20
)

// add counts a result, and reports whether its slot may go on.
func (w *answering) add(size int) bool {
	w.count++
	w.bytes += size
	return w.count <= answeringMax && w.bytes <= answeringBytesMax
}

func (w *answering) remove(size int) {
	w.count--
	w.bytes -= size
}

// activityOutcome is what an activity came to, encoded once.
type activityOutcome struct {
	message *turnpb.Message
	encoded []byte
	failed  bool
}
