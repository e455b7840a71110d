package dispatch

import (
	"fmt"
	"slices"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// expiring is a partition's remembered requests, as their order of expiry lists them.
type expiring struct {
	refs  []persistence.ExpiryRef // by expiry
	read  int
	swept int
	s     sweeper
	lost  int // how many sweeps the journal refuses
	now   int64
}

func (e *expiring) add(at int64) {
	e.refs = append(e.refs, persistence.ExpiryRef{
		ExpiresAtMs: at, RequestRef: persistence.RequestRef{ID: fmt.Sprintf("%09d", len(e.refs)), Key: "k"},
	})
}

// run lets the sweeper do all that it wants up to a time.
func (e *expiring) run(t *testing.T, until int64) {
	t.Helper()
	var emit func(a Action)
	emit = func(a Action) {
		switch a.Kind {
		case SweepRequests:
			if e.lost > 0 {
				e.lost--
				return
			}
			e.swept += len(a.Requests)
			e.refs = slices.DeleteFunc(e.refs, func(r persistence.ExpiryRef) bool {
				return r.ExpiresAtMs <= e.now && slices.Contains(a.Requests, r.RequestRef)
			})
		case ScanRequests:
			if a.ByMs != e.now {
				t.Fatalf("what expires by %d is asked for at %d", a.ByMs, e.now)
			}
			var page []persistence.ExpiryRef
			for _, r := range e.refs {
				after := r.ExpiresAtMs > a.AfterExpiry.ExpiresAtMs ||
					r.ExpiresAtMs == a.AfterExpiry.ExpiresAtMs && r.ID > a.AfterExpiry.ID
				if r.ExpiresAtMs <= a.ByMs && after && len(page) < a.Max {
					page = append(page, r)
				}
			}
			e.read += len(page)
			e.s.page(e.now, page, emit)
		}
	}
	for ; e.now < until; e.now = max(e.now+1, min(e.s.nextAt, until)) {
		e.s.step(e.now, e.now, emit)
	}
}

// TestF12_a_sweep_drains_what_is_due: 3,000 requests a minute and partition expire for an hour, three times as many as a
// page a minute takes. What is due never waits for more than two minutes, and each row is read once.
func TestF12_a_sweep_drains_what_is_due(t *testing.T) {
	e := &expiring{s: sweeper{rows: 1000}}
	for minute := int64(1); minute <= 60; minute++ {
		for i := range int64(3000) {
			e.add((minute-1)*sweepPauseMs + i*20)
		}
		e.run(t, minute*sweepPauseMs)
		if len(e.refs) > 6000 {
			t.Fatalf("minute %d: %d requests that have expired are still there", minute, len(e.refs))
		}
	}
	e.run(t, 62*sweepPauseMs)
	if len(e.refs) != 0 || e.swept != 180_000 || e.read != e.swept {
		t.Errorf("%d are left, %d were swept, %d were read", len(e.refs), e.swept, e.read)
	}
}

// TestASweepComesBackToWhatWasRefused, within an hour, and to what a clock that was set back brings.
func TestASweepComesBackToWhatWasRefused(t *testing.T) {
	e := &expiring{s: sweeper{rows: 10}, lost: 1, now: 10}
	for i := range int64(5) {
		e.add(i)
	}
	e.run(t, 2*sweepPauseMs)
	if len(e.refs) != 5 {
		t.Fatalf("%d are left although the sweep was refused", len(e.refs))
	}
	e.run(t, (sweepAnew+2)*sweepPauseMs)
	if len(e.refs) != 0 {
		t.Errorf("%d are left after an hour", len(e.refs))
	}
	e.now = 1000
	e.refs = append(e.refs, persistence.ExpiryRef{ExpiresAtMs: 7, RequestRef: persistence.RequestRef{ID: "early"}})
	e.run(t, e.now+2)
	if len(e.refs) != 0 {
		t.Errorf("what an earlier time brought is still there: %v", e.refs)
	}
}

// TestF12_a_clock_that_is_set_back_has_the_sweep_begin_anew, at once and at the first expiry; a clock that goes on does not.
func TestF12_a_clock_that_is_set_back_has_the_sweep_begin_anew(t *testing.T) {
	const hour = 3_600_000
	s := &sweeper{rows: 10}
	asked := func(now, wall int64) (scans []Action) {
		s.step(now, wall, func(a Action) { scans = append(scans, a) })
		return scans
	}
	last := persistence.ExpiryRef{ExpiresAtMs: 9 * hour, RequestRef: persistence.RequestRef{ID: "a", Key: "k"}}
	if n := len(asked(0, 10*hour)); n != 1 {
		t.Fatalf("%d scans at first", n)
	}
	s.page(0, []persistence.ExpiryRef{last}, func(Action) {})
	if scans := asked(1, 10*hour+1); len(scans) != 0 {
		t.Fatalf("scans in the pause: %+v", scans)
	}
	scans := asked(sweepPauseMs, 10*hour+sweepPauseMs)
	if len(scans) != 1 || scans[0].AfterExpiry != last {
		t.Fatalf("after the pause, behind what was swept: %+v", scans)
	}
	s.page(sweepPauseMs, nil, func(Action) {})
	scans = asked(sweepPauseMs+1, 9*hour)
	if len(scans) != 1 || scans[0].AfterExpiry != (persistence.ExpiryRef{}) || scans[0].ByMs != 9*hour {
		t.Errorf("when the clock was set back: %+v", scans)
	}
}
