//go:build invariants

package partition

import (
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/persistence"
)

// TestAWrongServingIsFound breaks what a serving, the probation and the box of effects promise, one at a time.
func TestAWrongServingIsFound(t *testing.T) {
	key := persistence.WorkKey{IID: 1, Execution: 1, Event: 2}
	made := func() (*serving, *activity) {
		p := &Partition{}
		s := &serving{p: p, epoch: 3, activities: map[persistence.WorkKey]*activity{}}
		p.s, s.leases.s, s.suspects = s, s, &suspects{s: s}
		p.epoch.Store(3)
		a := &activity{s: s, c: &consumer.Attached{}, slot: true, phase: activityRunning, token: "t"}
		a.item.Key = key
		s.activities[key] = a
		s.leases.holders = map[persistence.Token]*activity{"t": a}
		return s, a
	}
	for what, spoil := range map[string]func(*serving, *activity){
		"nothing":                       nil,
		"an epoch that is not served":   func(s *serving, _ *activity) { s.p.epoch.Store(4) },
		"a serving that ended":          func(s *serving, _ *activity) { s.ended = true },
		"a stop of one of the two":      func(s *serving, _ *activity) { s.stopping = true },
		"a consumer that was detached":  func(s *serving, a *activity) { s.numbers = map[*consumer.Attached]int{a.c: 0} },
		"code without a slot":           func(_ *serving, a *activity) { a.slot = false },
		"an activity that is over":      func(_ *serving, a *activity) { a.phase = activityOver },
		"code that may go on for ever":  func(_ *serving, a *activity) { a.phase, a.stopCause = activityStopping, ErrActivityShutdown },
		"a ticket that was given back":  func(_ *serving, a *activity) { a.ticket = 1 },
		"a result that is not counted":  func(_ *serving, a *activity) { a.phase, a.outcome = activityAnswering, &activityOutcome{} },
		"a lease whose holder has gone": func(s *serving, _ *activity) { delete(s.activities, key) },
		"a lease that is watched as other": func(s *serving, _ *activity) {
			s.leases.watches = map[persistence.Token]*turnWatch{"u": {token: "t"}}
		},
		"a part without inputs": func(s *serving, _ *activity) { s.inputs.kept = []*partInputs{{}} },
		"a read for nothing":    func(s *serving, _ *activity) { s.inputs.reading = map[partKey]*partRead{{}: {}} },
		"alarms out of order":   func(s *serving, _ *activity) { s.alarms.items = alarmHeap{{at: 2}, {at: 1}} },
	} {
		t.Run(what, func(t *testing.T) {
			s, a := made()
			if spoil != nil {
				spoil(s, a)
			}
			wantFound(t, spoil != nil, s.verify)
		})
	}
	t.Run("effects out of order", func(t *testing.T) {
		b := &effectsBox{}
		b.put(&persistence.Effects{Index: 2})
		wantFound(t, true, func() { b.put(&persistence.Effects{Index: 2}) })
	})
	t.Run("a time without a timer", func(t *testing.T) {
		g := NewProbation(clock.Real, 1)
		wantFound(t, false, g.verify)
		g.mu.wakeAt = time.Second.Milliseconds()
		wantFound(t, true, g.verify)
	})
}

// wantFound checks whether a check panics.
func wantFound(t *testing.T, want bool, verify func()) {
	t.Helper()
	defer func() {
		if r := recover(); (r != nil) != want {
			t.Errorf("the check says %v", r)
		}
	}()
	verify()
}
