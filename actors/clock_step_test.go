package actors

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

const (
	oneHour  = time.Hour
	tenYears = 10 * 365 * 24 * time.Hour
)

// stepped runs f once for each way in which the wall clock may be set; step sets it.
func stepped(t *testing.T, cfg Config, f func(w *world, step func(), by time.Duration)) {
	t.Helper()
	for _, by := range []time.Duration{oneHour, -oneHour, tenYears} {
		t.Run(by.String(), func(t *testing.T) {
			c := &testClock{}
			cfg.Clock = c
			once(t, cfg, func(w *world) { f(w, func() { c.offset.Add(int64(by)) }, by) })
		})
	}
}

// sleeper sleeps for as long as its input says.
func sleeper(c *replay.Context, input []byte) ([]byte, error) {
	d, err := time.ParseDuration(string(input))
	if err != nil {
		return nil, err
	}
	_, err = c.Timer(d).Await()
	return input, err
}

// TestF17_ANewSleepIsNotHeldUpByAStep: with another sleep pending and with none. What fell due by the step fires within a
// second although nothing else happens.
func TestF17_ANewSleepIsNotHeldUpByAStep(t *testing.T) {
	for _, pending := range []bool{true, false} {
		stepped(t, Config{}, func(w *world, step func(), by time.Duration) {
			w.attach(basics().orchestration("sleep", sleeper))
			if pending {
				w.start("long", "sleep", "9s")
			}
			pass(time.Second)
			step()
			w.start("short", "sleep", "50ms")
			pass(49 * time.Millisecond)
			if got := w.head("short").Status; got != persistence.StatusRunning {
				t.Errorf("the short sleep is %v before its time", got)
			}
			pass(2 * time.Millisecond)
			w.completed("short", "50ms")
			if pending && by > 0 {
				pass(time.Second)
				w.completed("long", "9s")
			}
		})
	}
}

// TestF17_WhatFellDueByAStepFiresWithinASecond, although nothing else happens; what is due later than before does not.
func TestF17_WhatFellDueByAStepFiresWithinASecond(t *testing.T) {
	stepped(t, Config{}, func(w *world, step func(), by time.Duration) {
		w.attach(basics().orchestration("sleep", sleeper))
		for _, id := range []string{"a", "b", "c", "d", "e"} { // in several partitions
			w.start(id, "sleep", "30m")
		}
		pass(10 * time.Minute)
		step()
		pass(time.Second + time.Millisecond)
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			if by > 0 {
				w.completed(id, "30m")
			} else if got := w.head(id).Status; got != persistence.StatusRunning {
				t.Errorf("%s is %v, an hour and more before its time", id, got)
			}
		}
		if by < 0 {
			pass(20*time.Minute - by)
			w.completed("a", "30m")
		}
	})
}

// TestF17_AnIdleNodeStaysIdle: one look at the clock a second while a timer waits, none while nothing does.
func TestF17_AnIdleNodeStaysIdle(t *testing.T) {
	c := &countingClock{}
	once(t, Config{Clock: c}, func(w *world) {
		w.attach(basics().orchestration("sleep", sleeper))
		w.start("a", "wait", "")
		pass(5 * time.Minute) // it has left
		rest := func() int64 {
			before := c.timers.Load()
			pass(time.Minute)
			return c.timers.Load() - before
		}
		sweeps := int64(2 * len(w.e.parts)) // the walks over request keys
		if n := rest(); n > sweeps {
			t.Errorf("%d timers in a minute in which nothing waits", n)
		}
		w.start("b", "sleep", "1h")
		pass(5 * time.Minute)
		if n := rest(); n > 60+sweeps {
			t.Errorf("%d timers in a minute in which one sleep waits", n)
		}
	})
}

// countingClock counts the timers that are set.
type countingClock struct {
	testClock
	timers atomic.Int64
}

func (c *countingClock) AfterFunc(d time.Duration, f func()) clock.Timer {
	c.timers.Add(1)
	return c.testClock.AfterFunc(d, f)
}

// TestF18_AStepHoldsUpNoActivity: a heavy suspect has just started, and nothing new starts for a second, whatever the
// wall clock says then.
func TestF18_AStepHoldsUpNoActivity(t *testing.T) {
	stepped(t, Config{}, func(w *world, step func(), _ time.Duration) {
		k, fresh := newWorker(), newWorker()
		register := func() *registry {
			return basics().orchestration("call", call).activity("work", k.run).activity("fresh", fresh.run)
		}
		w.attach(register())
		w.start("a", "call", "work")
		k.wantCalls(t, 1, 1)
		w.crashUntilHeavy(register)
		w.attachTurns(register())
		pass(time.Minute) // careful mode is over for what is new
		before, _, _ := k.state()
		w.attachAs("worker", register())
		k.wantCalls(t, before+1, 1)
		w.start("b", "call", "fresh")
		pass(500 * time.Millisecond)
		step()
		w.start("c", "call", "fresh")
		w.start("d", "wait", "")
		pass(499 * time.Millisecond)
		fresh.wantCalls(t, 0, 0)
		pass(time.Millisecond)
		fresh.wantCalls(t, 2, 2)
		close(fresh.gate)
		close(k.gate)
		synctest.Wait()
		for id, output := range map[string]string{"a": "work", "b": "fresh", "c": "fresh"} {
			w.completed(id, output)
		}
		if got := w.head("d").Turn; got != 1 {
			t.Errorf("d stands at turn %d: no turn may start in that second, and every one after it", got)
		}
	})
}

// attachTurns attaches a consumer that runs turns only.
func (w *world) attachTurns(r *registry) {
	w.t.Helper()
	if _, err := w.e.Attach(consumer.Consumer{ID: "turns", Handlers: r, TurnSlots: 2, EngineVersion: "0.1.0"}); err != nil {
		w.t.Fatal(err)
	}
}

// TestF18_TheGateLetsTheNextOneInAfterFiveSeconds, whatever the wall clock says.
func TestF18_TheGateLetsTheNextOneInAfterFiveSeconds(t *testing.T) {
	stepped(t, Config{}, func(w *world, step func(), _ time.Duration) {
		k := newWorker()
		register := func() *registry { return newRegistry().orchestration("call", call).activity("work", k.run) }
		w.attach(register())
		w.start("a", "call", "work")
		w.start("b", "call", "work")
		k.wantCalls(t, 2, 2)
		w.crashUntilHeavy(register)
		before, _, _ := k.state()
		w.attach(register())
		k.wantCalls(t, before+1, 1)
		pass(2 * time.Second)
		step()
		pass(3*time.Second - time.Millisecond)
		k.wantCalls(t, before+1, 1)
		pass(time.Millisecond)
		k.wantCalls(t, before+2, 2)
		close(k.gate)
	})
}

// TestF19_AStepCostsNoActivityItsResult: it runs under a lease, which has expired by the wall clock and was not taken
// over; it is renewed on schedule and its result counts.
func TestF19_AStepCostsNoActivityItsResult(t *testing.T) {
	stepped(t, Config{}, func(w *world, step func(), _ time.Duration) {
		k := newWorker()
		w.attach(newRegistry().orchestration("call", call).activity("work", k.run))
		w.start("a", "call", "work")
		pass(10 * time.Second)
		step()
		if c := w.e.ActivityCounters(); c.LostLeases != 0 {
			t.Errorf("%d leases lost", c.LostLeases)
		}
		pass(17 * time.Second) // renewed once, after 26 s, under the new time
		if _, renewed := w.leases(); renewed != 1 {
			t.Errorf("renewed %d times, want 1", renewed)
		}
		step()
		k.wantCalls(t, 1, 1)
		close(k.gate)
		synctest.Wait()
		w.completed("a", "work")
		if c := w.e.ActivityCounters(); c.LostLeases != 0 || c.Void != 0 || c.Started != 1 {
			t.Errorf("counters %+v", c)
		}
	})
}

// TestF19_AStepCostsNoTurnItsCommit: in careful mode a turn runs under a lease.
func TestF19_AStepCostsNoTurnItsCommit(t *testing.T) {
	for _, runs := range []time.Duration{0, 4 * time.Second} { // not renewed, and renewed after 3 s
		stepped(t, Config{}, func(w *world, step func(), _ time.Duration) {
			calls := 0
			gate := make(chan struct{})
			register := func() *registry {
				return basics().orchestration("block", func(*replay.Context, []byte) ([]byte, error) {
					calls++
					<-gate
					return []byte("done"), nil
				})
			}
			w.start("a", "block", "")
			w.reopen(w.crash)
			w.attach(register())
			synctest.Wait()
			step()
			pass(runs)
			close(gate)
			synctest.Wait()
			w.completed("a", "done")
			if c := w.e.Counters(); calls != 1 || c.CarefulTurns != 1 || c.LeasesLost != 0 {
				t.Errorf("ran %d times, %d careful turns, %d leases lost", calls, c.CarefulTurns, c.LeasesLost)
			}
		})
	}
}

// TestF18_TheWatchdogCountsWhatHasElapsed.
func TestF18_TheWatchdogCountsWhatHasElapsed(t *testing.T) {
	stepped(t, Config{}, func(w *world, step func(), _ time.Duration) {
		gate := make(chan struct{})
		w.attach(basics().orchestration("block", func(*replay.Context, []byte) ([]byte, error) {
			<-gate
			return nil, nil
		}))
		w.ask(arrival.StartRequest{ID: "a", Name: "block"})
		pass(500 * time.Millisecond)
		step()
		pass(400 * time.Millisecond)
		if n := w.e.Counters().ReportedTurns; n != 0 {
			t.Errorf("%d reported before a second", n)
		}
		pass(500 * time.Millisecond)
		if n := w.e.Counters().ReportedTurns; n != 1 {
			t.Errorf("%d reported after a second", n)
		}
		step()
		pass(3 * time.Second)
		if n := w.e.Counters().AbandonedTurns; n != 0 {
			t.Errorf("%d abandoned before 5 s", n)
		}
		pass(time.Second)
		if n := w.e.Counters().AbandonedTurns; n != 1 {
			t.Errorf("%d abandoned after 5 s", n)
		}
		close(gate)
	})
}

// TestF18_AGracePeriodIsWhatHasElapsed: one of the alarms of a partition.
func TestF18_AGracePeriodIsWhatHasElapsed(t *testing.T) {
	stepped(t, Config{}, func(w *world, step func(), _ time.Duration) {
		k := newWorker()
		k.deaf = true
		w.attach(newRegistry().orchestration("race", race).activity("work", k.run))
		w.start("a", "race", "work")
		k.wantCalls(t, 1, 1)
		if err := w.raise("a", "go", "now").wait(); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		step()
		pass(9*time.Second - time.Millisecond)
		if c := w.e.ActivityCounters(); c.Abandoned != 0 {
			t.Error("given up before the grace period was over")
		}
		pass(time.Millisecond)
		if c := w.e.ActivityCounters(); c.Abandoned != 1 {
			t.Error("not given up after the grace period")
		}
		close(k.gate)
	})
}

// TestF18_BusyPausesAreWhatHasElapsed: the journal takes no results for a while.
func TestF18_BusyPausesAreWhatHasElapsed(t *testing.T) {
	stepped(t, Config{}, func(w *world, setBack func(), _ time.Duration) {
		w.attach(basics())
		w.take(func(_ persistence.Partition, p persistence.Proposal) bool {
			switch p.Command.(type) {
			case *persistence.CommitTurn, *persistence.CompleteWork, *persistence.LeaseWork, *persistence.StartInstance:
				p.Done(persistence.Result{Err: persistence.ErrBusy})
				return true
			}
			return false
		})
		r := w.ask(arrival.StartRequest{ID: "a", Name: "echo", Input: []byte("x")})
		pass(20 * time.Millisecond)
		setBack()
		w.take(nil)
		pass(2 * step.BusyPause)
		if err := r.wait(); err != nil {
			t.Errorf("the start is not answered: %v", err)
		}
		w.completed("a", "x")
	})
}

// TestF18_AMessageIsAcceptedAfterTenMilliseconds that have elapsed.
func TestF18_AMessageIsAcceptedAfterTenMilliseconds(t *testing.T) {
	stepped(t, Config{}, func(w *world, step func(), _ time.Duration) {
		gate := make(chan struct{})
		w.attach(basics().orchestration("block", func(*replay.Context, []byte) ([]byte, error) {
			<-gate
			return nil, nil
		}))
		r := w.ask(arrival.StartRequest{ID: "a", Name: "block"})
		pass(4 * time.Millisecond)
		step()
		pass(5 * time.Millisecond)
		if err := r.wait(); !errors.Is(err, errNoAnswer) {
			t.Errorf("answered before 10 ms: %v", err)
		}
		pass(time.Millisecond)
		if err := r.wait(); err != nil {
			t.Errorf("after 10 ms: %v", err)
		}
		close(gate)
	})
}

// TestF18_AResidentLeavesWhenAMinuteHasElapsed.
func TestF18_AResidentLeavesWhenAMinuteHasElapsed(t *testing.T) {
	stepped(t, Config{}, func(w *world, step func(), _ time.Duration) {
		w.attach(basics())
		w.start("a", "wait", "")
		pass(30 * time.Second)
		step()
		pass(29 * time.Second)
		if got := w.e.Counters().Active; got != 1 {
			t.Errorf("%d active before its time", got)
		}
		pass(2 * time.Second)
		if got := w.e.Counters().Active; got != 0 {
			t.Errorf("%d active after a minute", got)
		}
	})
}

// TestF18_ABackoffIsOverAfterAStep: the delay of what has no handler is in its row. A step forward ends it, and a step back
// by more than any backoff lasts does too; it is seen within a second, and delays nothing that is new.
func TestF18_ABackoffIsOverAfterAStep(t *testing.T) {
	stepped(t, Config{BackoffBase: 30 * time.Second}, func(w *world, step func(), _ time.Duration) {
		r := basics().orchestration("call", call)
		w.attach(r)
		w.start("a", "call", "late")
		w.start("b", "orphan", "")
		pass(time.Second)
		r.activity("late", echoActivity).orchestration("orphan", waiter)
		step()
		w.start("c", "call", "late")
		synctest.Wait()
		w.completed("c", "late")
		pass(time.Second + time.Millisecond)
		w.completed("a", "late")
		if got := w.head("b").Turn; got != 1 {
			t.Errorf("b stands at turn %d", got)
		}
	})
}

// TestF18_ABackoffHoldsThroughASmallStep: a step that leaves it shorter than the longest backoff changes when it ends.
func TestF18_ABackoffHoldsThroughASmallStep(t *testing.T) {
	c := &testClock{}
	once(t, Config{Clock: c, BackoffBase: 20 * time.Second}, func(w *world) {
		r := basics().orchestration("call", call)
		w.attach(r)
		w.start("a", "call", "late")
		w.start("b", "orphan", "")
		synctest.Wait()
		r.activity("late", echoActivity).orchestration("orphan", waiter)
		c.offset.Add(int64(-30 * time.Second))
		pass(50*time.Second - time.Millisecond)
		if rows := w.rows(); len(rows) != 1 {
			t.Errorf("a has run before its time")
		}
		pass(2 * time.Millisecond)
		w.completed("a", "late")
		if got := w.head("b").Turn; got != 1 {
			t.Errorf("b stands at turn %d", got)
		}
	})
}

// TestF18_CarefulModeEndsWhenItsTimeHasElapsed.
func TestF18_CarefulModeEndsWhenItsTimeHasElapsed(t *testing.T) {
	stepped(t, Config{}, func(w *world, step func(), _ time.Duration) {
		w.reopen(w.crash)
		w.attach(basics())
		pass(10 * time.Second)
		step()
		pass(19 * time.Second)
		w.start("a", "echo", "x")
		synctest.Wait()
		w.completed("a", "x")
		taken, _ := w.leases()
		pass(2 * time.Second)
		w.start("b", "echo", "x")
		synctest.Wait()
		w.completed("b", "x")
		if after, _ := w.leases(); taken != 1 || after != 1 {
			t.Errorf("%d leases in careful mode, %d after it; want 1 and none more", taken, after-taken)
		}
	})
}

// TestF17_AnActivityAndATimerOverAStep: an activity that outlives a timer which fell due by the step.
func TestF17_AnActivityAndATimerOverAStep(t *testing.T) {
	stepped(t, Config{}, func(w *world, step func(), by time.Duration) {
		k := newWorker()
		w.attach(newRegistry().activity("work", k.run).orchestration("deadline", func(c *replay.Context, in []byte) ([]byte, error) {
			work := c.Activity("work", in, replay.ActivityOptions{})
			if c.Race(work, c.Timer(20*time.Minute)) == 0 {
				return []byte("work"), nil
			}
			return []byte("deadline"), nil
		}))
		w.start("a", "deadline", "")
		k.wantCalls(t, 1, 1)
		pass(5 * time.Second)
		step()
		pass(1100 * time.Millisecond)
		if by > 0 {
			w.completed("a", "deadline")
			k.wantCalls(t, 1, 0)
			return
		}
		close(k.gate)
		synctest.Wait()
		w.completed("a", "work")
	})
}
