package actors

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// waitThenSleep waits for an event and then sleeps for 50 ms.
func waitThenSleep(c *replay.Context, _ []byte) ([]byte, error) {
	if _, err := c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await(); err != nil {
		return nil, err
	}
	return sleeper(c, []byte("50ms"))
}

// TestF17_ASleepAfterAStepLastsAsLongAsItSays, in an instance that has run before the step; loaded again in between or not.
func TestF17_ASleepAfterAStepLastsAsLongAsItSays(t *testing.T) {
	for _, resident := range []int64{0, -1} {
		stepped(t, Config{ResidentBytes: resident}, func(w *world, step func(), _ time.Duration) {
			w.attach(basics().orchestration("later", waitThenSleep))
			w.start("a", "later", "")
			pass(time.Second)
			step()
			if err := w.raise("a", "go", "").wait(); err != nil {
				t.Fatal(err)
			}
			pass(45 * time.Millisecond)
			if got := w.head("a").Status; got != persistence.StatusRunning {
				t.Errorf("the sleep is over before its time: %v", got)
			}
			pass(10 * time.Millisecond)
			w.completed("a", "50ms")
		})
	}
}

// TestF18_AnInstanceOfAnotherPartitionWasCreatedNow: a child and a detached instance, whose start is delivered.
func TestF18_AnInstanceOfAnotherPartitionWasCreatedNow(t *testing.T) {
	inOneWorld(t, Config{}, func(w *world) {
		ids := []string{"c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"}
		w.attach(basics().orchestration("parent", func(c *replay.Context, _ []byte) ([]byte, error) {
			for i, id := range ids {
				if i%2 == 0 {
					c.Detached("wait", id, nil, replay.DetachedOptions{})
					continue
				}
				c.Child("wait", nil, replay.ChildOptions{ID: id})
			}
			return waiter(c, nil)
		}))
		began := time.Now().UnixMilli()
		w.start("p", "parent", "")
		pass(time.Second)
		elsewhere := 0
		for _, id := range ids {
			if w.e.partitionOf(id) != w.e.partitionOf("p") {
				elsewhere++
			}
			if h := w.head(id); h.CreatedAtMs < began || h.CreatedAtMs > began+1000 {
				t.Errorf("%s was created %d ms after its parent", id, h.CreatedAtMs-began)
			}
		}
		if elsewhere == 0 {
			t.Error("none is in another partition than its parent")
		}
	})
}

// runsFor is an activity that takes a while, and counts its runs.
func runsFor(d time.Duration, runs *atomic.Int64) consumer.ActivityFunc {
	return func(ctx context.Context, _ consumer.ActivityInfo, _ consumer.Heart, in []byte) ([]byte, error) {
		runs.Add(1)
		select {
		case <-time.After(d):
			return in, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// TestF18_AnActivityThatIsLeasedAfterABackoffRunsOnce: the dispatcher says that its backoff is over after a step, and the
// journal gives the lease, which the row's time would have it refuse.
func TestF18_AnActivityThatIsLeasedAfterABackoffRunsOnce(t *testing.T) {
	stepped(t, Config{}, func(w *world, step func(), _ time.Duration) {
		w.attach(basics().orchestration("call", call))
		w.start("a", "call", "slow")
		pass(10 * time.Second)
		step()
		var runs atomic.Int64
		w.attachAs("late", basics().activity("slow", runsFor(3*time.Second, &runs)))
		pass(10 * time.Second)
		if n := runs.Load(); n != 1 {
			t.Errorf("it ran %d times, want 1", n)
		}
		w.completed("a", "slow")
	})
}

// TestF18_ASuspectsBackoffIsOverAfterAStep, as any other's is.
func TestF18_ASuspectsBackoffIsOverAfterAStep(t *testing.T) {
	stepped(t, Config{}, func(w *world, step func(), _ time.Duration) {
		r := basics().orchestration("call", call)
		w.attach(r)
		w.start("a", "call", "late")
		pass(10 * time.Second)
		w.crash()
		step()
		w.open()
		w.attach(r.activity("late", echoActivity))
		pass(30 * time.Second)
		w.completed("a", "late")
	})
}

// TestF18_AnUnknownNameIsLoggedOnceInAWhile, whatever the wall clock says.
func TestF18_AnUnknownNameIsLoggedOnceInAWhile(t *testing.T) {
	var log lockedBuffer
	cfg := Config{ResidentBytes: -1, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	stepped(t, cfg, func(w *world, step func(), _ time.Duration) {
		lines := func() int { return strings.Count(log.String(), "orchestration unheard is not registered") }
		w.attach(basics())
		w.start("a", "unheard", "")
		pass(time.Second)
		before := lines()
		step()
		pass(50 * time.Second)
		if n := lines() - before; n != 0 {
			t.Errorf("it is logged %d times more within a minute", n)
		}
		w.start("b", "unheard", "")
		pass(70 * time.Second)
		if lines() == before {
			t.Error("it is not logged again after two minutes")
		}
	})
}

// TestF18_ALostLeaseHoldsUpNothingAfterAStep: the journal takes no renewal until the lease is lost, and the clock is set
// meanwhile. The lease is given back, so that the code runs again at once.
func TestF18_ALostLeaseHoldsUpNothingAfterAStep(t *testing.T) {
	stepped(t, Config{}, func(w *world, step func(), _ time.Duration) {
		var runs atomic.Int64
		w.attach(basics().orchestration("call", call).activity("slow", func(ctx context.Context, _ consumer.ActivityInfo, _ consumer.Heart, in []byte) ([]byte, error) {
			if runs.Add(1) > 1 {
				return in, nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}))
		w.take(busyFor[*persistence.RenewWork](1 << 30))
		w.start("a", "call", "slow")
		pass(20 * time.Second)
		step()
		pass(15 * time.Second)
		w.take(nil)
		pass(5 * time.Second)
		w.completed("a", "slow")
		if n := runs.Load(); n != 2 {
			t.Errorf("it ran %d times, want 2", n)
		}
	})
}

// TestF18_ALeaseOfAFailedEpochLastsItsTime, which elapses: its code was told to stop, and the process knows that no activity has
// the work any more.
func TestF18_ALeaseOfAFailedEpochLastsItsTime(t *testing.T) {
	stepped(t, Config{}, func(w *world, step func(), by time.Duration) {
		w.panicsExpected = true
		k := newWorker()
		w.attach(basics().orchestration("call", call).activity("work", k.run))
		w.start("a", "call", "work")
		pass(5 * time.Second) // leased after one
		w.e.partitionOf("a").Post("panic", func() { panic("a bug") })
		k.wantCalls(t, 1, 0)
		step()
		pass(25 * time.Second)
		if by < 0 {
			k.wantCalls(t, 1, 0)
		}
		pass(10 * time.Second)
		k.wantCalls(t, 2, 1)
		close(k.gate)
		synctest.Wait()
		w.completed("a", "work")
	})
}

// TestF18_ALeaseThatNobodyHasIsGivenBack: an actor that failed has left a turn's lease of this process, and the clock is set.
// In careful mode it would refuse the next lease, and otherwise the commit.
func TestF18_ALeaseThatNobodyHasIsGivenBack(t *testing.T) {
	for _, careful := range []bool{false, true} {
		stepped(t, Config{}, func(w *world, step func(), _ time.Duration) {
			if careful {
				w.start("a", "wait", "")
				w.reopen(w.crash)
				synctest.Wait()
			} else {
				w.attach(basics())
				w.start("a", "wait", "")
				pass(2 * time.Minute) // it has left
			}
			h := w.head("a")
			var leased persistence.Result
			w.e.propose(w.e.journal.PartitionOf("a"), &persistence.LeaseTurn{
				IID: h.IID, Execution: h.Execution, Turn: h.Turn, TTLMs: w.e.cfg.TurnLease.Milliseconds(), Nonce: 1,
				Holder: persistence.Holder{Node: w.e.cfg.Node, Process: w.e.cfg.Process},
			}, func(r persistence.Result) { leased = r })
			synctest.Wait()
			if leased.Token == "" {
				t.Fatal("no lease: ", leased.Err)
			}
			step()
			if careful {
				w.attach(basics())
			}
			if err := w.raise("a", "go", "x").wait(); err != nil {
				t.Fatal(err)
			}
			pass(30 * time.Second)
			w.completed("a", "x")
		})
	}
}

// TestF18_APanicInMidTurnHoldsUpNothingAfterAStep: the actor panics with a turn that runs under a lease in careful mode, and
// the clock is set. The lease is live by the clock, and no turn has it.
func TestF18_APanicInMidTurnHoldsUpNothingAfterAStep(t *testing.T) {
	stepped(t, Config{}, func(w *world, step func(), _ time.Duration) {
		w.panicsExpected = true
		w.start("a", "wait", "")
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		w.reopen(w.crash)
		leased := false
		w.take(func(_ persistence.Partition, p persistence.Proposal) bool {
			c, is := p.Command.(*persistence.CommitTurn)
			if !is || leased {
				return false
			}
			leased = c.Token != ""
			step()
			p.Done(persistence.Result{Err: persistence.ErrStale}) // which positions?
			return true
		})
		w.attach(basics())
		pass(30 * time.Second)
		if n := w.e.Counters().Restarts; !leased || n != 1 {
			t.Errorf("under a lease: %v; %d restarts, want 1", leased, n)
		}
		w.completed("a", "x")
	})
}
