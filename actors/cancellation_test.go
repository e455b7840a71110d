package actors

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/partition"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/persistencetest"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// race gives what comes first: the activity of the name in its input, or the event "go".
func race(c *replay.Context, input []byte) ([]byte, error) {
	work := c.Activity(string(input), input, replay.ActivityOptions{})
	event := c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED)
	if c.Race(work, event) == 0 {
		return []byte("work"), nil
	}
	return []byte("event"), nil
}

// TestACancelledActivityIsToldAtOnce: the moment its row is deleted, not at a renewal.
func TestACancelledActivityIsToldAtOnce(t *testing.T) {
	for _, how := range []string{"race", "cancel"} {
		t.Run(how, func(t *testing.T) {
			once(t, Config{}, func(w *world) {
				k := newWorker()
				w.attach(newRegistry().orchestration("race", race).activity("work", k.run))
				w.start("a", "race", "work")
				k.wantCalls(t, 1, 1)
				before := time.Now()
				tell := w.raise
				if how == "cancel" {
					tell = func(id, _, reason string) *reply { return w.cancel(id, reason) }
				}
				if err := tell("a", "go", "now").wait(); err != nil {
					t.Fatal(err)
				}
				k.wantCalls(t, 1, 0)
				if !time.Now().Equal(before) {
					t.Error("time has passed")
				}
				if len(k.whys) != 1 || !errors.Is(k.whys[0], partition.ErrActivityCancelled) {
					t.Errorf("told to stop because of %v", k.whys)
				}
				if c := w.e.ActivityCounters(); c.Cancelled != 1 || c.Abandoned != 0 || c.Leaked != 0 {
					t.Errorf("counters %+v", c)
				}
				if n := w.journal.count(&persistence.CompleteWork{}); n != 0 {
					t.Errorf("%d results of cancelled work were proposed", n)
				}
			})
		})
	}
}

// TestAnActivityThatDoesNotStopIsGivenUpAfterTheGracePeriod: its slot goes to the next one, the leak is counted until
// the code returns, and what it then says is void.
func TestAnActivityThatDoesNotStopIsGivenUpAfterTheGracePeriod(t *testing.T) {
	once(t, Config{}, func(w *world) {
		k := newWorker()
		k.deaf = true
		if _, err := w.e.Attach(consumer.Consumer{ID: "c", TurnSlots: 2, ActivitySlots: 1, EngineVersion: "0.1.0",
			Handlers: newRegistry().orchestration("race", race).orchestration("echo", echo).
				activity("work", k.run).activity("echo", echoActivity)}); err != nil {
			t.Fatal(err)
		}
		w.start("a", "race", "work")
		k.wantCalls(t, 1, 1)
		w.start("b", "echo", "after")
		if err := w.raise("a", "go", "now").wait(); err != nil {
			t.Fatal(err)
		}
		pass(10*time.Second - time.Millisecond)
		if got := w.head("b").Status; got != persistence.StatusRunning {
			t.Fatalf("b is %v before the grace period has ended", got)
		}
		pass(time.Millisecond)
		w.completed("b", "after")
		if c := w.e.ActivityCounters(); c.Abandoned != 1 || c.Leaked != 1 {
			t.Errorf("counters %+v", c)
		}
		close(k.gate)
		synctest.Wait()
		w.completed("a", "event")
		if c := w.e.ActivityCounters(); c.Abandoned != 1 || c.Leaked != 0 {
			t.Errorf("after the code returned: counters %+v", c)
		}
		if n := w.journal.count(&persistence.CompleteWork{}); n != 0 {
			t.Errorf("%d results of cancelled work were proposed", n)
		}
	})
}

// TestALeavingConsumersActivitiesAreToldToStop: an error that the code returns after it was told to stop is no failure of
// the activity, and another consumer runs it. A result that comes in time counts.
func TestALeavingConsumersActivitiesAreToldToStop(t *testing.T) {
	once(t, Config{}, func(w *world) {
		listens, finishes, other := newWorker(), newWorker(), newWorker()
		finishes.deaf = true
		detach := w.attachAs("leaves", newRegistry().activity("listens", listens.run).activity("finishes", finishes.run))
		w.attachAs("turns", newRegistry().orchestration("call", call))
		w.start("a", "call", "listens")
		w.start("b", "call", "finishes")
		listens.wantCalls(t, 1, 1)
		finishes.wantCalls(t, 1, 1)
		w.attachAs("stays", newRegistry().activity("listens", other.run).activity("finishes", other.run))
		detach()
		other.wantCalls(t, 1, 1)
		if len(listens.whys) != 1 || !errors.Is(listens.whys[0], partition.ErrActivityShutdown) {
			t.Errorf("told to stop because of %v", listens.whys)
		}
		if got := other.infos[0]; got.Instance != "a" || got.Attempt != 1 || got.Worker != "stays" {
			t.Errorf("then %+v", got)
		}
		close(finishes.gate)
		synctest.Wait()
		w.completed("b", "finishes")
		close(other.gate)
		synctest.Wait()
		w.completed("a", "listens")
		if n := w.journal.count(&persistence.AbandonWork{}); n != 0 {
			t.Errorf("%d AbandonWork: a grant needs none", n)
		}
	})
}

// TestAShutdownGivesLeasesBack, uncounted, so that a successor takes over at once.
func TestAShutdownGivesLeasesBack(t *testing.T) {
	once(t, Config{}, func(w *world) {
		k := newWorker()
		register := func() *registry { return newRegistry().orchestration("call", call).activity("work", k.run) }
		w.attach(register())
		w.start("a", "call", "work")
		pass(5 * time.Second)
		if rows := w.rows(); len(rows) != 1 || rows[0].Token == "" {
			t.Fatalf("rows %+v, want one that is leased", rows)
		}
		before := time.Now()
		w.close()
		if d := time.Since(before); d > 100*time.Millisecond {
			t.Errorf("the shutdown took %v although the activity listens", d)
		}
		w.open()
		if rows := w.rows(); len(rows) != 1 || rows[0].Token != "" || rows[0].Attempts != 0 {
			t.Errorf("rows %+v, want one that is free and has no attempts", rows)
		}
		w.attach(register())
		k.wantCalls(t, 2, 1)
		close(k.gate)
		synctest.Wait()
		w.completed("a", "work")
	})
}

// TestAShutdownDoesNotWaitForADeafActivity for longer than a second.
func TestAShutdownDoesNotWaitForADeafActivity(t *testing.T) {
	once(t, Config{}, func(w *world) {
		k := newWorker()
		k.deaf = true
		w.attach(newRegistry().orchestration("call", call).activity("work", k.run))
		w.start("a", "call", "work")
		pass(5 * time.Second)
		before := time.Now()
		w.close()
		if d := time.Since(before); d > time.Second+100*time.Millisecond {
			t.Errorf("the shutdown took %v", d)
		}
		close(k.gate)
		synctest.Wait()
		w.open()
		quick := newRegistry().orchestration("call", call).activity("work", echoActivity)
		w.attach(quick)
		synctest.Wait()
		w.completed("a", "work")
	})
}

// TestDrainIsHowLongAShutdownWaits: an activity that needs three seconds to finish has five, and its result counts; one
// that needs more is given up when they are over.
func TestDrainIsHowLongAShutdownWaits(t *testing.T) {
	for _, c := range []struct {
		needs, shutdown time.Duration
		calls           int
	}{{3 * time.Second, 3 * time.Second, 1}, {8 * time.Second, 5 * time.Second, 2}} {
		t.Run(c.needs.String(), func(t *testing.T) {
			once(t, Config{Drain: 5 * time.Second}, func(w *world) {
				var calls atomic.Int64
				register := func() *registry {
					return newRegistry().orchestration("call", call).activity("work",
						func(ctx context.Context, _ consumer.ActivityInfo, _ consumer.Heart, in []byte) ([]byte, error) {
							if calls.Add(1) == 1 {
								<-ctx.Done()
								<-time.After(c.needs)
							}
							return in, nil
						})
				}
				w.attach(register())
				w.start("a", "call", "work")
				synctest.Wait()
				before := time.Now()
				w.close()
				if d := time.Since(before); d < c.shutdown || d > c.shutdown+50*time.Millisecond {
					t.Errorf("the shutdown took %v, want %v", d, c.shutdown)
				}
				pass(c.needs)
				w.open()
				w.attach(register())
				synctest.Wait()
				w.completed("a", "work")
				if n := calls.Load(); n != int64(c.calls) {
					t.Errorf("the code ran %d times, want %d", n, c.calls)
				}
			})
		})
	}
}

// TestDrainIsHowLongAnEpochsEndWaits for what still runs in the partition.
func TestDrainIsHowLongAnEpochsEndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, disk: persistencetest.NewDisk(1), cfg: Config{Drain: 5 * time.Second}}
		w.open()
		w.attach(newRegistry().orchestration("call", call).activity("work",
			func(ctx context.Context, _ consumer.ActivityInfo, _ consumer.Heart, in []byte) ([]byte, error) {
				<-ctx.Done()
				<-time.After(3 * time.Second)
				return in, nil
			}))
		w.start("a", "call", "work")
		synctest.Wait()
		begun, ended := time.Now(), make(chan error, 1)
		w.e.parts[0].Stop(func(err error) { ended <- err })
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if d := time.Since(begun); d < 3*time.Second || d > 3050*time.Millisecond {
			t.Errorf("the epoch's end took %v, want 3 s", d)
		}
		w.completed("a", "work")
		w.e.Stop(func(error) {}) // its partition has ended already, so it waits for ever
		synctest.Wait()
		for _, closeOwned := range w.e.owned {
			closeOwned()
		}
		_ = w.journal.Close()
		w.journal.end()
	})
}
