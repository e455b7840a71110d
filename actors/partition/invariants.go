package partition

import (
	"slices"

	"github.com/turnstone-dev/turnstone/internal/invariants"
)

// verify checks the state of a serving after each step: its activities, leases, inputs and alarms. It iterates maps; no
// result depends on their order.
func (s *serving) verify() {
	epoch := s.p.epoch.Load()
	invariants.Check(s.p.s == s && !s.ended && epoch == s.epoch, "epoch %d is served, in the state of epoch %d, ended %t", epoch, s.epoch, s.ended)
	invariants.Check(s.stopping == s.p.stopped, "the partition stops: %t, its serving: %t", s.p.stopped, s.stopping)
	for c := range s.numbers {
		invariants.Check(slices.Contains(s.consumers, c), "a detached consumer still has a number")
	}
	s.verifyActivities()
	s.leases.verify()
	s.inputs.verify()
	s.alarms.verify()
}

func (s *serving) verifyActivities() {
	count, bytes := 0, 0
	for key, a := range s.activities {
		invariants.Check(a.s == s && a.item.Key == key, "activity %v is held as %v", a.item.Key, key)
		switch a.phase {
		case activityOver:
			invariants.Check(false, "activity %v is over, and still held", key)
		case activityAnswering:
			count++
			bytes += len(a.outcome.encoded)
		default:
			invariants.Check(a.slot && a.c != nil, "activity %v is in phase %d without a slot", key, a.phase)
		}
		invariants.Check(a.phase != activityStopping || a.stopCause != nil && a.graceEnd != nil, "activity %v stops without a cause, or without an end of its grace period", key)
		invariants.Check(a.ticket == 0 || s.suspects.open[a.ticket], "activity %v has ticket %d, which was returned", key, a.ticket)
	}
	for _, a := range s.leaving {
		invariants.Check(a.phase == activityStopping && s.activities[a.item.Key] != a, "activity %v has timed out and is in phase %d", a.item.Key, a.phase)
	}
	w := &s.answering
	invariants.Check(count == w.count && bytes == w.bytes, "%d results with %d bytes are answered, counted are %d and %d", count, bytes, w.count, w.bytes)
}

// verify checks that each lease that is renewed has its holder.
func (b *leaseBook) verify() {
	for token, w := range b.watches {
		invariants.Check(w.token == token, "the lease of a turn %s is watched as %s", w.token, token)
	}
	for token, a := range b.holders {
		invariants.Check(a.token == token && b.s.activities[a.item.Key] == a, "lease %s is held for activity %v, which does not hold it", token, a.item.Key)
	}
}

func (i *inputs) verify() {
	invariants.Check(len(i.kept) <= partsKept, "%d parts are kept, the most is %d", len(i.kept), partsKept)
	for _, p := range i.kept {
		invariants.Check(len(p.events) > 0, "a part without inputs is kept")
	}
	for key, under := range i.reading {
		invariants.Check(len(under.waiting) > 0, "part %d of instance %d is read, and no activity waits for it", key.part, key.iid)
	}
}

func (l *alarms) verify() {
	withdrawn := 0
	for i := range l.items {
		invariants.Check(i == 0 || !l.items.Less(i, (i-1)/2), "an alarm rings before the one above it")
		if l.items[i].ring == nil {
			withdrawn++
		}
	}
	invariants.Check(withdrawn == l.withdrawn, "%d alarms are withdrawn, %d are counted", withdrawn, l.withdrawn)
}

// verify checks the timer and its time, and the waiting suspects. The caller holds p.mu.
func (p *Probation) verify() {
	invariants.Check((p.mu.timer != nil) == (p.mu.wakeAt != 0), "a timer is set: %t, for %d", p.mu.timer != nil, p.mu.wakeAt)
	invariants.Check(!p.mu.open || len(p.mu.waiting) == 0, "%d suspects wait although all are admitted", len(p.mu.waiting))
	for ticket := range p.mu.waiting {
		invariants.Check(ticket > 0 && ticket <= p.mu.last, "ticket %d waits, the last is %d", ticket, p.mu.last)
	}
}
