package actors

import (
	"bytes"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// lockedBuffer is a log that a test reads while the engine writes it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// blockHere blocks outside Turnstone; its name must be in the report.
func blockHere(gate chan struct{}) { <-gate }

// TestWatchdog: a turn that blocks is reported after a second with its stack, given up after five, not counted as an
// attempt, and run again; no clock writes history.
func TestWatchdog(t *testing.T) {
	inWorld(t, func(w *world) {
		log := &lockedBuffer{}
		w.logTo(slog.NewTextHandler(log, nil))
		gate := make(chan struct{})
		blocks := 1
		w.attach(basics().orchestration("block", func(c *replay.Context, _ []byte) ([]byte, error) {
			if blocks > 0 {
				blocks--
				blockHere(gate)
			}
			return waiter(c, nil)
		}))
		w.ask(arrival.StartRequest{ID: "a", Name: "block"}).wait()
		pass(900 * time.Millisecond)
		if n := w.e.Counters().ReportedTurns; n != 0 {
			t.Fatalf("%d reported before a second", n)
		}
		pass(500 * time.Millisecond)
		if n := w.e.Counters().ReportedTurns; n != 1 {
			t.Fatalf("%d reported after a second", n)
		}
		if text := log.String(); !strings.Contains(text, "blockHere") || !strings.Contains(text, "instance_id=a") {
			t.Errorf("the report does not show where it blocks: %s", text)
		}
		pass(4 * time.Second)
		if c := w.e.Counters(); c.AbandonedTurns != 1 || c.LeakedCoroutines != 1 {
			t.Fatalf("%d abandoned, %d leaked after 5 s", c.AbandonedTurns, c.LeakedCoroutines)
		}
		var lease persistence.TurnLease
		w.read("a", func(r persistence.Reader, iid persistence.Incarnation) (err error) {
			lease, _, err = r.TurnLease(iid)
			return err
		})
		if lease.Attempts != 0 || lease.Held.Tries != 1 || !strings.Contains(lease.Held.Reason, "blocks") {
			t.Errorf("the lease row is %+v", lease)
		}
		pass(2 * time.Second)
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		w.completed("a", "x")
		close(gate)
		synctest.Wait()
		if got := len(w.story("a", 1)); got != 4 {
			t.Errorf("%d events, want 4: %v", got, w.story("a", 1))
		}
	})
}

// TestF39_a_turn_that_is_given_up_has_been_reported with its stack, also when the warning is not due before.
func TestF39_a_turn_that_is_given_up_has_been_reported(t *testing.T) {
	for name, warn := range map[string]time.Duration{"by default": 0, "at the same time": 100 * time.Millisecond, "later": time.Hour} {
		t.Run(name, func(t *testing.T) {
			inWorldWith(t, Config{WatchdogWarn: warn, WatchdogAbandon: 100 * time.Millisecond}, func(w *world) {
				log := &lockedBuffer{}
				w.logTo(slog.NewTextHandler(log, nil))
				gate := make(chan struct{})
				blocks := 1
				w.attach(basics().orchestration("block", func(*replay.Context, []byte) ([]byte, error) {
					if blocks > 0 {
						blocks--
						blockHere(gate)
					}
					return nil, nil
				}))
				w.ask(arrival.StartRequest{ID: "a", Name: "block"}).wait()
				pass(500 * time.Millisecond)
				if c := w.e.Counters(); c.AbandonedTurns != 1 || c.ReportedTurns != 1 || !strings.Contains(log.String(), "blockHere") {
					t.Errorf("%d given up, %d reported: %s", c.AbandonedTurns, c.ReportedTurns, log.String())
				}
				close(gate)
				pass(time.Minute)
				w.completed("a", "")
			})
		})
	}
}

// TestABlockedTurnDoesNotHoldUpOthers: its slot is given to the next.
func TestABlockedTurnDoesNotHoldUpOthers(t *testing.T) {
	inWorld(t, func(w *world) {
		gate := make(chan struct{})
		registry := basics().orchestration("block", func(*replay.Context, []byte) ([]byte, error) {
			<-gate
			return nil, nil
		})
		detach, err := w.e.Attach(consumer.Consumer{ID: "one", Handlers: registry, TurnSlots: 1, ActivitySlots: 1})
		if err != nil {
			t.Fatal(err)
		}
		w.ask(arrival.StartRequest{ID: "a", Name: "block"})
		other := w.ask(arrival.StartRequest{ID: "b", Name: "echo", Input: []byte("y")})
		pass(11 * time.Millisecond)
		if err := other.wait(); err != nil {
			t.Fatalf("the start behind it was not accepted after 10 ms: %v", err)
		}
		pass(5500 * time.Millisecond)
		w.completed("b", "y")
		close(gate)
		pass(time.Minute)
		w.completed("a", "")
		detach()
	})
}

// panicHere panics; its name must be in the stack.
func panicHere() { panic("oops") }

// TestF32_the_stack_of_a_panic_is_in_the_log_and_in_the_history.
func TestF32_the_stack_of_a_panic_is_in_the_log_and_in_the_history(t *testing.T) {
	inWorld(t, func(w *world) {
		log := &lockedBuffer{}
		w.logTo(slog.NewTextHandler(log, nil))
		w.attach(basics().orchestration("panics", func(c *replay.Context, in []byte) ([]byte, error) {
			if _, err := c.Activity("echo", in, replay.ActivityOptions{}).Await(); err != nil {
				return nil, err
			}
			panicHere()
			return nil, nil
		}))
		w.start("a", "panics", "")
		pass(time.Second)
		if text := failure.Display(w.failed("a")); text != "orchestration panicked: oops" {
			t.Errorf("failed with %q", text)
		}
		const frame = "actors.panicHere (watchdog_test.go:"
		segments := w.history("a", 1)
		if stack := segments[len(segments)-1].Header.GetPanicStack(); !strings.HasPrefix(stack, frame) {
			t.Errorf("in the history:\n%s", stack)
		}
		if text := log.String(); strings.Count(text, frame) != 1 || !strings.Contains(text, "instance_id=a") {
			t.Errorf("the log:\n%s", text)
		}
	})
}

// TestATurnThatSpoilsItsContextIsNeverCommitted: a goroutine of the author's calls the context. The instance is held.
func TestATurnThatSpoilsItsContextIsNeverCommitted(t *testing.T) {
	inWorldWith(t, Config{MaxAttempts: 2}, func(w *world) {
		log := &lockedBuffer{}
		w.logTo(slog.NewTextHandler(log, nil))
		w.attach(basics().orchestration("foreign", func(c *replay.Context, _ []byte) ([]byte, error) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				c.Now()
			}()
			<-done
			return []byte("never"), nil
		}))
		pass(time.Millisecond) // a hold at the moment of the attach is tried once more at once
		w.ask(arrival.StartRequest{ID: "a", Name: "foreign"}).wait()
		pass(2500 * time.Millisecond)
		if got := w.head("a").Status; got != persistence.StatusPending {
			t.Errorf("it is %v", got)
		}
		if text := log.String(); strings.Count(text, "stack=\"actors.TestATurnThatSpoilsItsContextIsNeverCommitted.") != 1 {
			t.Errorf("the log:\n%s", text)
		}
		if n := w.e.Counters().SpoiledTurns; n != 2 {
			t.Errorf("%d spoiled turns, want 2", n)
		}
	})
}

// TestF30_a_turn_whose_context_is_misused_after_it_is_not_committed: a goroutine that a deferred function starts, while
// the code of a cancelled execution is unwound.
func TestF30_a_turn_whose_context_is_misused_after_it_is_not_committed(t *testing.T) {
	inWorldWith(t, Config{MaxAttempts: 2}, func(w *world) {
		w.attach(basics().orchestration("foreign", func(c *replay.Context, _ []byte) ([]byte, error) {
			defer func() {
				done := make(chan struct{})
				go func() {
					defer close(done)
					c.Now()
				}()
				<-done
			}()
			return waiter(c, nil)
		}))
		w.start("a", "foreign", "")
		w.cancel("a", "stop")
		pass(time.Minute)
		// It is held, and a cancel needs no code.
		if why := w.failed("a"); !failure.IsCancelled(why) {
			t.Errorf("failed with %v", why)
		}
		if n := w.e.Counters().SpoiledTurns; n != 1 {
			t.Errorf("%d spoiled turns, want 1", n)
		}
	})
}

// TestF30_an_engine_outlives_code_that_locks_its_thread: where the code waits, where it is evicted and where it returns.
// The runtime would end the whole process.
func TestF30_an_engine_outlives_code_that_locks_its_thread(t *testing.T) {
	inWorld(t, func(w *world) {
		lock := func() {
			for range 20 {
				runtime.LockOSThread()
			}
		}
		w.attach(basics().orchestration("locks", func(c *replay.Context, _ []byte) ([]byte, error) {
			defer lock()
			lock()
			out, err := waiter(c, nil)
			lock()
			return out, err
		}))
		w.start("a", "locks", "")
		pass(2 * time.Minute) // evicted at the latest after one
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		w.completed("a", "x")
	})
}

// TestACoroutineThatCannotBeUnwoundIsCounted: a deferred function blocks at an eviction.
func TestACoroutineThatCannotBeUnwoundIsCounted(t *testing.T) {
	inWorld(t, func(w *world) {
		gate := make(chan struct{})
		w.attach(basics().orchestration("defer", func(c *replay.Context, _ []byte) ([]byte, error) {
			defer func() { <-gate }()
			return waiter(c, nil)
		}))
		w.start("a", "defer", "")
		pass(2 * time.Minute) // evicted at the latest after one
		if c := w.e.Counters(); c.LeakedCoroutines == 0 || c.Active != 0 {
			t.Errorf("%d leaked, %d active", c.LeakedCoroutines, c.Active)
		}
		close(gate)
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		w.completed("a", "x")
	})
}
