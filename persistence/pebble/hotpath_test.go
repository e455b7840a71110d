package pebble

import (
	"fmt"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestHotPathDoesNotIterate counts what turns cost Pebble beside 10 and beside 100,000 queued items: the same.
func TestHotPathDoesNotIterate(t *testing.T) {
	cost := func(queued int) Metrics {
		r := newRig(t, Options{Partitions: 1, Tuning: Tuning{HeadCache: 16}})
		r.begin()
		for n := 0; n < queued; {
			for range min(1000, queued-n) {
				c := fusedStart(fmt.Sprintf("queued-%d", n))
				c.Segment = part(1, 3)
				c.Timers = []persistence.TimerRef{{FireAtMs: int64(n), Event: 3}}
				r.s.Propose(0, persistence.Proposal{TimeMs: 1, Epoch: 1, Command: c, Done: r.mustSucceed})
				r.s.Propose(0, persistence.Proposal{TimeMs: 1, Epoch: 1, Done: r.mustSucceed,
					Command: &persistence.Enqueue{ID: c.ID, Message: []byte("m")}})
				n++
			}
			r.run()
		}
		if err := r.s.core.db.Flush(); err != nil {
			t.Fatal(err)
		}
		before := r.s.Metrics()
		for i := range 100 {
			id := fmt.Sprintf("hot-%d", i)
			first := r.ok(0, fusedStart(id))
			key := persistence.WorkKey{IID: first.IID, Execution: 1, Event: 2}
			seq := r.ok(0, &persistence.CompleteWork{Key: key, Message: []byte("r")}).Seq
			last := lastTurn(id, first.IID, 1)
			last.AcceptedResults = nil
			last.ConsumedInbox = []uint64{seq}
			r.ok(0, last)
		}
		after := r.s.Metrics()
		return Metrics{
			Iterators: after.Iterators - before.Iterators, IterSteps: after.IterSteps - before.IterSteps,
			InternalSteps: after.InternalSteps - before.InternalSteps, Gets: after.Gets - before.Gets,
		}
	}
	large := 100_000
	if testing.Short() {
		large = 5_000
	}
	few, many := cost(10), cost(large)
	if few.Iterators != 0 || few.IterSteps != 0 || few.InternalSteps != 0 {
		t.Errorf("100 instances iterate: %+v", few)
	}
	few.Gets, many.Gets = 0, fewer(t, few.Gets, many.Gets)
	if few != many {
		t.Errorf("beside 10 items %+v, beside %d %+v", few, large, many)
	}
}

// fewer allows for the filters of new ids, which are wrong once in about a thousand times: 100 instances of 3 commits
// each read one row, the message that the last commit consumes.
func fewer(t *testing.T, few, many uint64) uint64 {
	if few < 100 || few > 110 || many < 100 || many > 110 {
		t.Errorf("100 instances read %d rows beside few items and %d beside many", few, many)
	}
	return 0
}

func (r *rig) mustSucceed(res persistence.Result) {
	if res.Err != nil {
		r.t.Error(res.Err)
	}
}
