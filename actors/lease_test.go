package actors

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/partition"
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
		{"POI_018 an activity that outlasts its lease is renewed and runs once", 3 * time.Second, time.Second, 6 * time.Second, 2},
		{"POI_020 a short lease is renewed at its half", 2 * time.Second, time.Second, 3500 * time.Millisecond, 2},
		{"POI_021 a lease is renewed before its end by the buffer", 5 * time.Second, 2 * time.Second, 6 * time.Second, 1},
		{"POI_019 an activity shorter than its lease is not renewed", 3 * time.Second, time.Second, 500 * time.Millisecond, 0},
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

// TestALostLeaseStopsItsHolder before it could commit, and the activity is run again as soon as its code has ended.
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
		if len(k.whys) != 1 || !errors.Is(k.whys[0], partition.ErrActivityLeaseLost) {
			t.Fatalf("told to stop because of %v", k.whys)
		}
		k.wantCalls(t, 2, 1)
		if got := k.infos[1]; got.Delivery != 2 || got.Attempt != 1 {
			t.Errorf("delivery %d of attempt %d, want 2 of 1: the lease had counted one", got.Delivery, got.Attempt)
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
		w.start("a", "wait", "") // no consumer is attached: it stays pending
		head := w.head("a")
		p := w.e.partitionOf("a")
		take := func() persistence.Token {
			var r persistence.Result
			w.e.propose(w.journal.PartitionOf("a"), &persistence.LeaseTurn{IID: head.IID, Execution: 1, TTLMs: 5000,
				Holder: persistence.Holder{Node: "node-1", Process: "process-1"}}, func(got persistence.Result) { r = got })
			synctest.Wait()
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			return r.Token
		}
		renewals := func() int { return w.journal.count(&persistence.RenewTurn{}) }
		lost := 0
		stop := p.WatchTurnLease(take(), func() { lost++ })
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
		_ = p.WatchTurnLease(token, func() { lost++ })
		w.e.propose(w.journal.PartitionOf("a"), &persistence.AbandonTurn{IID: head.IID, Execution: 1, Token: token}, func(persistence.Result) {})
		pass(10 * time.Second)
		if lost != 1 {
			t.Errorf("lost %d times, want once", lost)
		}
		stop = p.WatchTurnLease("none", func() { lost++ })
		stop() // at once: it is never asked for
		pass(10 * time.Second)
		if lost != 1 {
			t.Errorf("a stopped watch was called: lost %d times", lost)
		}
	})
}

// TestALeaseThatConflictsIsAskedForAnew: another process has leased the work meanwhile, so the row has another number of
// attempts. The next lease expects the number that the row has now, whether the code waited for its lease or ran already.
func TestALeaseThatConflictsIsAskedForAnew(t *testing.T) {
	for _, c := range []struct {
		name    string
		careful bool
		calls   int
	}{{"before the code", true, 1}, {"beside the code", false, 2}} {
		t.Run(c.name, func(t *testing.T) {
			once(t, Config{}, func(w *world) {
				k := newWorker()
				register := func() *registry { return newRegistry().orchestration("call", call).activity("work", k.run) }
				if c.careful {
					w.reopen(w.crash)
				}
				var mu sync.Mutex
				var seen []uint32 // attempts
				wantSeen := func(want ...uint32) {
					t.Helper()
					mu.Lock()
					defer mu.Unlock()
					if !slices.Equal(seen, want) {
						t.Errorf("leases were asked for with %v attempts, want %v", seen, want)
					}
				}
				w.take(func(n persistence.Partition, p persistence.Proposal) bool {
					lease, is := p.Command.(*persistence.LeaseWork)
					if !is {
						return false
					}
					mu.Lock()
					defer mu.Unlock()
					if seen = append(seen, lease.Attempts); len(seen) == 1 {
						rival := *lease
						rival.Nonce++
						rival.Holder = persistence.Holder{Node: "node-2", Process: "other", Consumer: "rival"}
						w.journal.Memory.Propose(n, persistence.Proposal{TimeMs: p.TimeMs, Epoch: p.Epoch, Command: &rival,
							Done: func(r persistence.Result) {
								if r.Err != nil {
									t.Errorf("the rival's lease: %v", r.Err)
								}
							}})
					}
					return false
				})
				w.attach(register())
				w.start("a", "call", "work")
				pass(29 * time.Second) // the rival's lease lasts for 30
				wantSeen(0)
				if k.wantCalls(t, c.calls-1, 0); !c.careful && !errors.Is(k.whys[0], partition.ErrActivityLeaseLost) {
					t.Errorf("told to stop because of %v", k.whys)
				}
				pass(5 * time.Second)
				wantSeen(0, 1)
				k.wantCalls(t, c.calls, 1)
				close(k.gate)
				synctest.Wait()
				w.completed("a", "work")
			})
		})
	}
}

// TestALeaseOutlivesAFailureOfItsPartition: the code was told to stop but may still run, so no other consumer runs it
// before the lease has ended. The attempt is counted, and no other work waits.
func TestALeaseOutlivesAFailureOfItsPartition(t *testing.T) {
	once(t, Config{}, func(w *world) {
		w.panicsExpected = true
		k := newWorker()
		w.attach(basics().orchestration("call", call).activity("work", k.run))
		w.start("a", "call", "work")
		pass(5 * time.Second) // leased after one
		w.e.partitionOf("a").Post("panic", func() { panic("a bug") })
		k.wantCalls(t, 1, 0)
		w.start("b", "echo", "x")
		synctest.Wait()
		w.completed("b", "x")
		pass(26*time.Second - time.Millisecond)
		k.wantCalls(t, 1, 0)
		pass(time.Millisecond)
		k.wantCalls(t, 2, 1)
		// The lease counted one, and the epoch that failed may have had a grant that nothing counted.
		if got := k.infos[1]; got.Delivery != 3 || got.Attempt != 1 {
			t.Errorf("delivery %d of attempt %d, want 3 of 1", got.Delivery, got.Attempt)
		}
		if taken, _ := w.leases(); taken != 2 {
			t.Errorf("leases were asked for %d times, want 2", taken)
		}
		close(k.gate)
		synctest.Wait()
		w.completed("a", "work")
	})
}
