package replay_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/replay"
)

// fresh runs the first turn of an execution on a machine that the test keeps.
func fresh(t *testing.T, fn replay.Func) (*replay.Machine, replay.Decision) {
	t.Helper()
	m := replay.New(config(fn))
	t.Cleanup(m.Close)
	return m, m.Advance(input(msgStart()))
}

func TestCoroutineOrder(t *testing.T) {
	t.Run("Go only queues, and the lowest number runs first until it blocks", func(t *testing.T) {
		var log []string
		_, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			var fs []*replay.Future
			for i := range 3 {
				fs = append(fs, c.Go(func(c *replay.Context) (any, error) {
					log = append(log, fmt.Sprint("start ", i))
					c.Go(func(*replay.Context) (any, error) { log = append(log, fmt.Sprint("inner ", i)); return nil, nil })
					log = append(log, fmt.Sprint("end ", i))
					return i, nil
				}))
			}
			log = append(log, "queued")
			c.All(fs...)
			log = append(log, "all")
			return nil, nil
		})
		wantCompleted(t, d, "")
		// The inner ones have the highest numbers: the handler, the lowest, returns before they get a turn.
		want := "queued|start 0|end 0|start 1|end 1|start 2|end 2|all"
		if got := strings.Join(log, "|"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("a lower coroutine that becomes ready goes first", func(t *testing.T) {
		var log []string
		_, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			a := c.Go(func(c *replay.Context) (any, error) { log = append(log, "a"); return nil, nil })
			c.Go(func(*replay.Context) (any, error) { log = append(log, "b"); return nil, nil })
			a.Await()
			log = append(log, "handler")
			return nil, nil
		})
		wantCompleted(t, d, "")
		if got := strings.Join(log, " "); got != "a handler" {
			t.Errorf("order %q: the handler is the lowest number, so it runs before b, and its return cancels b", got)
		}
	})
	t.Run("results and errors of a coroutine", func(t *testing.T) {
		boom := errors.New("boom")
		_, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			v, err := c.Go(func(*replay.Context) (any, error) { return 7, boom }).Await()
			return []byte(fmt.Sprint(v, errors.Is(err, boom))), nil
		})
		wantCompleted(t, d, "7 true")
	})
	t.Run("5,000 coroutines with an activity each", func(t *testing.T) {
		cfg := config(func(c *replay.Context, _ []byte) ([]byte, error) {
			var fs []*replay.Future
			for i := range 5_000 {
				fs = append(fs, c.Go(func(c *replay.Context) (any, error) { return text(activity(c, "A", fmt.Sprint(i))) }))
			}
			c.All(fs...)
			return []byte("done"), nil
		})
		m := replay.New(cfg)
		defer m.Close()
		d := m.Advance(input(msgStart()))
		if len(d.Activities) != 5_000 {
			t.Fatalf("%d activities", len(d.Activities))
		}
		for i := len(d.Activities) - 1; i >= 0; i-- {
			last := m.Advance(input(msgAC(d.Activities[i].Event, "r")))
			if (last.Outcome == replay.Completed) != (i == 0) {
				t.Fatalf("outcome %d with %d activities open", last.Outcome, i)
			}
		}
	})
}

func TestUnwinding(t *testing.T) {
	t.Run("deferred functions run, their calls of the context do not return, and recover cannot swallow it", func(t *testing.T) {
		var log []string
		m, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			defer func() { log = append(log, "outer") }()
			defer func() {
				log = append(log, fmt.Sprint("recovered ", recover()))
				activity(c, "cleanup", "").Await()
				log = append(log, "never")
			}()
			activity(c, "A", "").Await()
			return nil, nil
		})
		wantRunning(t, d)
		m.Close()
		if got := strings.Join(log, "|"); got != "recovered <nil>|outer" {
			t.Errorf("log: %s", got)
		}
	})
	t.Run("a cancelled coroutine: its futures in creation order, then it is unwound there", func(t *testing.T) {
		var log []string
		_, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			f := c.Go(func(c *replay.Context) (any, error) {
				defer func() { log = append(log, "unwound") }()
				activity(c, "A", "")
				activity(c, "B", "").Await()
				return nil, nil
			})
			c.Select(f, c.Go(func(*replay.Context) (any, error) { return nil, nil }))
			log = append(log, "cancel")
			f.Cancel()
			log = append(log, "cancelled")
			_, err := f.Await()
			activity(c, "C", "").Await()
			return nil, err
		})
		wantRunning(t, d)
		if got := strings.Join(log, "|"); got != "cancel|unwound|cancelled" {
			t.Errorf("log: %s", got)
		}
		wantKinds(t, d, "S AS AS AS ACancel(2) ACancel(3)")
	})
	t.Run("a cancelled future gives a cancelled error to all who wait", func(t *testing.T) {
		_, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			a := activity(c, "A", "")
			w := c.Go(func(c *replay.Context) (any, error) { return a.Await() })
			c.Go(func(c *replay.Context) (any, error) { a.Cancel(); return nil, nil })
			_, err := w.Await()
			var f *failure.Error
			if !errors.As(err, &f) || !f.Cancelled() || !a.Ready() {
				return nil, fmt.Errorf("got %v", err)
			}
			return []byte("ok"), nil
		})
		wantCompleted(t, d, "ok")
	})
	t.Run("a coroutine that cancels itself, or the one that started it", func(t *testing.T) {
		var self *replay.Future
		reached := 0
		_, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			self = c.Go(func(c *replay.Context) (any, error) {
				activity(c, "A", "")
				c.Go(func(*replay.Context) (any, error) { self.Cancel(); reached++; return nil, nil })
				activity(c, "B", "").Await()
				reached++
				return nil, nil
			})
			_, err := self.Await()
			return []byte(err.Error()), nil
		})
		wantCompleted(t, d, "canceled: dropped_future")
		wantKinds(t, d, "S AS AS ACancel(2) ACancel(3)")
		if reached != 0 {
			t.Error("code behind its own cancellation ran")
		}
	})
	t.Run("a scope cancels what is unresolved, also what its coroutines left", func(t *testing.T) {
		_, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			activity(c, "before", "")
			err := c.Scope(func(c *replay.Context) error {
				activity(c, "A", "")
				c.Timer(time.Minute)
				g := c.Go(func(c *replay.Context) (any, error) { activity(c, "B", ""); return nil, nil })
				g.Await()
				c.Go(func(c *replay.Context) (any, error) { return activity(c, "C", "").Await() })
				c.NewGUID()
				return errors.New("left")
			})
			activity(c, "after", "").Await()
			return nil, err
		})
		wantRunning(t, d)
		wantKinds(t, d, "S AS AS TC AS AS AC(6) AS AS ACancel(3) ACancel(5) ACancel(8)")
	})
	t.Run("a panic while unwinding fails the orchestration", func(t *testing.T) {
		_, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			f := c.Go(func(c *replay.Context) (any, error) {
				defer func() { panic("in a deferred function") }()
				activity(c, "A", "").Await()
				return nil, nil
			})
			activity(c, "B", "")
			c.NewGUID()
			f.Cancel()
			return []byte("never"), nil
		})
		wantFailed(t, d, "application", "in a deferred function")
	})
	t.Run("continue-as-new from a coroutine", func(t *testing.T) {
		_, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Go(func(c *replay.Context) (any, error) { return c.ContinueAsNew([]byte("next"), "3.0.0").Await() })
			activity(c, "A", "").Await()
			return nil, nil
		})
		if d.Outcome != replay.ContinuedAsNew || string(d.Next.GetInput()) != "next" || d.Next.GetVersion() != "3.0.0" {
			t.Errorf("outcome %d, next %v", d.Outcome, d.Next)
		}
		wantKinds(t, d, "S AS ACancel(2)")
		wantReasons(t, d, replay.ReasonContinued)
	})
}

func TestUnwindOfTheHost(t *testing.T) {
	// The host decides where unwinding runs: each parked coroutine is one call, and it must survive a Goexit.
	calls := 0
	cfg := config(func(c *replay.Context, _ []byte) ([]byte, error) {
		for range 3 {
			c.Go(func(c *replay.Context) (any, error) { return activity(c, "A", "").Await() })
		}
		activity(c, "B", "").Await()
		return nil, nil
	})
	cfg.Unwind = func(f func()) {
		calls++
		done := make(chan struct{})
		go func() { defer close(done); f() }()
		<-done
	}
	before := runtime.NumGoroutine()
	m := replay.New(cfg)
	wantRunning(t, m.Advance(input(msgStart())))
	m.Close()
	m.Close()
	if calls != 4 {
		t.Errorf("%d calls of Unwind, want one for each coroutine", calls)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines before, %d after", before, n)
	}
}
