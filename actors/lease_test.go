package actors

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/persistence"
)

// leases counts the proposals that take or renew work leases.
func (w *world) leases() (taken, renewed int) {
	return w.journal.count(&persistence.LeaseWork{}), w.journal.count(&persistence.RenewWork{})
}

// TestPOI_018_LeasesAreRenewedOnSchedule, so that an activity may run for far longer than its lease.
func TestPOI_018_LeasesAreRenewedOnSchedule(t *testing.T) {
	cases := []struct {
		name          string
		lease, buffer time.Duration
		runs          time.Duration
		renewals      int // that are due while it runs: the lease is taken after 1 s
	}{
		{"default", 0, 0, 80 * time.Second, 3},
		{"POI_018", 3 * time.Second, time.Second, 6 * time.Second, 2},
		{"POI_020", 2 * time.Second, time.Second, 3500 * time.Millisecond, 2},
		{"POI_021", 5 * time.Second, 2 * time.Second, 6 * time.Second, 1},
		{"POI_019", 3 * time.Second, time.Second, 500 * time.Millisecond, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			once(t, Config{WorkLease: c.lease, WorkLeaseBuffer: c.buffer}, func(w *world) {
				k := newWorker()
				w.attach(newRegistry().orchestration("call", call).activity("work", k.run))
				w.start("a", "call", "work")
				pass(c.runs)
				if _, renewed := w.leases(); renewed != c.renewals {
					t.Errorf("renewed %d times in %v, want %d", renewed, c.runs, c.renewals)
				}
				k.wantCalls(t, 1, 1)
				close(k.gate)
				synctest.Wait()
				w.completed("a", "work")
				pass(time.Hour) // nothing is renewed any more
				if _, renewed := w.leases(); renewed != c.renewals {
					t.Errorf("renewed %d times after the end", renewed)
				}
			})
		})
	}
}

// TestALostLeaseStopsItsHolder before it could commit, and the activity is run again.
func TestALostLeaseStopsItsHolder(t *testing.T) {
	once(t, Config{}, func(w *world) {
		k := newWorker()
		w.attach(newRegistry().orchestration("call", call).activity("work", k.run))
		lose := true
		w.take(func(_ persistence.Partition, p persistence.Proposal) bool {
			c, is := p.Command.(*persistence.RenewWork)
			if !is || !lose {
				return false
			}
			lose = false
			p.Done(persistence.Result{Index: 1, Live: make([]bool, len(c.Tokens))})
			return true
		})
		w.start("a", "call", "work")
		pass(26 * time.Second) // leased after 1 s, renewed 25 s later
		k.wantCalls(t, 1, 0)
		if len(k.whys) != 1 || !errors.Is(k.whys[0], errActivityLeaseLost) {
			t.Fatalf("told to stop because of %v", k.whys)
		}
		pass(5 * time.Second) // the row's lease is at its end
		k.wantCalls(t, 2, 1)
		if got := k.infos[1].Attempt; got != 2 {
			t.Errorf("attempt %d, want 2: the lease had counted one", got)
		}
		close(k.gate)
		synctest.Wait()
		w.completed("a", "work")
		if c := w.e.ActivityCounters(); c.LostLeases != 1 {
			t.Errorf("%d lost leases", c.LostLeases)
		}
	})
}

// TestARenewalIsRetriedUntilTheLeaseEnds; if the journal takes it in time nothing is lost.
func TestARenewalIsRetriedUntilTheLeaseEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		busy int
		lost bool
	}{{"taken in time", 3, false}, {"never taken", 1 << 30, true}} {
		t.Run(c.name, func(t *testing.T) {
			once(t, Config{}, func(w *world) {
				k := newWorker()
				w.attach(newRegistry().orchestration("call", call).activity("work", k.run))
				w.take(busyFor[*persistence.RenewWork](c.busy))
				w.start("a", "call", "work")
				pass(30 * time.Second)
				k.wantCalls(t, 1, 1)
				pass(1100 * time.Millisecond) // the lease, taken after 1 s, would be over
				if (len(k.whys) > 0) != c.lost {
					t.Fatalf("told to stop: %v", k.whys)
				}
				w.take(nil)
				close(k.gate)
				pass(time.Minute)
				w.completed("a", "work")
			})
		})
	}
}

// TestTurnLeasesAreRenewedUntilTheyAreStoppedOrLost.
func TestTurnLeasesAreRenewedUntilTheyAreStoppedOrLost(t *testing.T) {
	once(t, Config{}, func(w *world) {
		w.start("a", "wait", "") // nobody is attached: it stays pending
		head := w.head("a")
		p := w.e.partitionOf("a")
		take := func() persistence.Token {
			var r persistence.Result
			w.e.propose(p.id, &persistence.LeaseTurn{IID: head.IID, Execution: 1, TTLMs: 5000,
				Holder: persistence.Holder{Node: "node-1", Process: "process-1"}}, func(got persistence.Result) { r = got })
			synctest.Wait()
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			return r.Token
		}
		renewals := func() int { return w.journal.count(&persistence.RenewTurn{}) }
		lost := 0
		stop := p.watchTurnLease(take(), head.IID, func() { lost++ })
		pass(10 * time.Second) // every 3 s
		if renewals() != 3 || lost != 0 {
			t.Errorf("renewed %d times, lost %d times", renewals(), lost)
		}
		stop()
		pass(10 * time.Second)
		if renewals() != 3 || lost != 0 {
			t.Errorf("after it was stopped: renewed %d times, lost %d times", renewals(), lost)
		}
		token := take()
		_ = p.watchTurnLease(token, head.IID, func() { lost++ })
		w.e.propose(p.id, &persistence.AbandonTurn{IID: head.IID, Execution: 1, Token: token}, func(persistence.Result) {})
		pass(10 * time.Second)
		if lost != 1 {
			t.Errorf("lost %d times, want once", lost)
		}
		stop = p.watchTurnLease("none", head.IID, func() { lost++ })
		stop() // at once: it is never asked for
		pass(10 * time.Second)
		if lost != 1 {
			t.Errorf("a stopped watch was called: lost %d times", lost)
		}
	})
}
