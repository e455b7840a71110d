package actors

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// What the simulator has found, told again without a seed.

// TestATimerThatComesDueDuringALease: a turn's lease asks for the timers that are due; one that comes due before the
// answer is not among them and must not be forgotten.
func TestATimerThatComesDueDuringALease(t *testing.T) {
	inWorld(t, func(w *world) {
		timers := basics().orchestration("timers", func(c *replay.Context, _ []byte) ([]byte, error) {
			c.All(c.Timer(10*time.Second), c.Timer(10*time.Second+5*time.Millisecond))
			return []byte("both"), nil
		})
		w.attach(timers)
		w.start("a", "timers", "")
		w.crash()
		w.open()
		w.attach(timers)
		pass(10*time.Second - time.Millisecond)
		w.journal.hold()
		pass(20 * time.Millisecond)
		if n := w.journal.count(&persistence.LeaseTurn{}); n != 1 {
			t.Fatalf("%d LeaseTurn while the second timer came due, want 1", n)
		}
		w.journal.release()
		pass(time.Second)
		w.completed("a", "both")
	})
}

// TestNoCodeRunsBeforeTheEpoch: until BeginEpoch is durable the engine does not know whether the last epoch ended cleanly.
// A message that comes before must not start a turn that no lease counts.
func TestNoCodeRunsBeforeTheEpoch(t *testing.T) {
	inWorld(t, func(w *world) {
		var runs atomic.Int64
		counting := basics().orchestration("counting", func(c *replay.Context, _ []byte) ([]byte, error) {
			runs.Add(1)
			v, err := c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED).Await()
			data, _ := v.([]byte)
			return data, err
		})
		w.attach(counting)
		w.start("a", "counting", "")
		w.crash()
		runs.Store(0)

		w.process++
		w.journal = newTape(w.disk)
		w.journal.hold()
		cfg := w.cfg
		cfg.Journal, cfg.Node, cfg.Process, cfg.Logger = w.journal, "node-1", fmt.Sprintf("process-%d", w.process), silent()
		var ready atomic.Bool
		w.e = Start(cfg, func(err error) { ready.Store(err == nil) })
		w.attach(counting)
		raised := w.raise("a", "go", "x")
		pass(100 * time.Millisecond)
		if ready.Load() || runs.Load() != 0 {
			t.Errorf("ready %v, code ran %d times before the epoch was durable", ready.Load(), runs.Load())
		}
		w.journal.release()
		pass(time.Second)
		if err := raised.wait(); err != nil {
			t.Fatal(err)
		}
		w.completed("a", "x")
		if n := w.journal.count(&persistence.LeaseTurn{}); n != 1 {
			t.Errorf("%d LeaseTurn, want 1: the turn was not counted", n)
		}
	})
}

// TestWhoWaitsMakesRoom: when as many instances are active as may be, one that only waits leaves for one that works.
func TestWhoWaitsMakesRoom(t *testing.T) {
	inOneWorld(t, Config{InstancesMax: 2}, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		w.start("b", "wait", "")
		busy := w.ask(arrival.StartRequest{ID: "c", Name: "echo", Input: []byte("y")})
		if err := busy.wait(); !errors.Is(err, persistence.ErrBusy) {
			t.Fatalf("a third instance: %v, want ErrBusy", err)
		}
		synctest.Wait()
		w.start("c", "echo", "y")
		w.completed("c", "y")
		for _, id := range []string{"a", "b"} {
			if err := w.raise(id, "go", id).wait(); errors.Is(err, persistence.ErrBusy) {
				err = w.raise(id, "go", id).wait()
				if err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			w.completed(id, id)
		}
	})
}

// TestF51_a_due_timer_waits_for_its_handler: an instance that no consumer can run has been told of a timer that is due.
// It is held and leaves; its dispatcher keeps the timer, and tells it when the handler is there.
func TestF51_a_due_timer_waits_for_its_handler(t *testing.T) {
	inWorld(t, func(w *world) {
		timers := basics().orchestration("timers", func(c *replay.Context, _ []byte) ([]byte, error) {
			_, err := c.Timer(time.Second).Await()
			return []byte("fired"), err
		})
		w.attach(timers)
		w.start("a", "timers", "")
		w.crash()
		w.open()
		w.attach(basics()) // which does not have it
		pass(20 * time.Second)
		if n := w.e.Counters().Active; n != 0 {
			t.Fatalf("%d instances are active, want none", n)
		}
		began := time.Now()
		w.close()
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("the stop took %v", took)
		}
		w.open()
		w.attach(timers)
		pass(time.Second)
		w.completed("a", "fired")
		if n := w.e.Counters().Retold; n != 0 {
			t.Errorf("%d were told again", n)
		}
	})
}
