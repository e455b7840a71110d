package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
)

// flaky fails until its nth run for an input.
func flaky(n int) (*turnstone.Activity[string, string], *tally) {
	runs := newTally()
	return turnstone.NewActivity("Flaky", func(_ actx, s string) (string, error) {
		k := runs.add(s)
		if k < n {
			return "", fmt.Errorf("attempt %d failed", k)
		}
		return fmt.Sprintf("success on attempt %d", k), nil
	}), runs
}

var quick = turnstone.NewRetryPolicy(5).WithBackoff(turnstone.FixedBackoff(5 * ms))

// Retries on a real node: durable timers that a restart does not forget.
func TestRetries(t *testing.T) {
	scenario(t, "RTY_033 a failure and a timeout are two attempts and end as the timeout", func(w *world) {
		runs := newTally()
		a := turnstone.NewActivity("A", func(ctx actx, s string) (string, error) {
			if runs.add("A") == 1 {
				return "", errors.New("first fails")
			}
			return s, slowly(ctx, time.Minute)
		})
		o := text("O", func(ctx octx, in string) (string, error) {
			return a.Call(ctx, in, turnstone.WithRetry(turnstone.NewRetryPolicy(5).WithRaceTimeout(100*ms).
				WithBackoff(turnstone.FixedBackoff(10*ms))))
		})
		w.open(a, o)
		begin(w, o, "i", "x")
		if f := w.failure("i"); !strings.Contains(f.Error(), "timeout") {
			t.Errorf("failure %v", f)
		}
		if h := w.history("i", 0); h.count("ActivityScheduled") != 2 || h.count("ActivityFailed") != 1 || h.count("TimerCreated") != 3 {
			t.Errorf("history %v", h.kinds())
		}
	})
	scenario(t, "RTY_034 a typed activity is tried again", func(w *world) {
		runs := newTally()
		a := turnstone.NewActivity("A", func(_ actx, n int) (int, error) {
			if runs.add("A") < 2 {
				return 0, errors.New("not yet")
			}
			return 2 * n, nil
		})
		o := turnstone.NewOrchestration("O", func(ctx octx, n int) (int, error) {
			return a.Call(ctx, n, turnstone.WithRetry(quick))
		})
		w.open(a, o)
		begin(w, o, "i", 21)
		completes(w, "i", 42)
	})
	scenario(t, "RTY_037 an attempt that succeeded does not run again on replay", func(w *world) {
		a, runs := flaky(1)
		o := text("O", func(ctx octx, in string) (string, error) {
			v, err := a.Call(ctx, in, turnstone.WithRetry(quick))
			if err != nil {
				return "", err
			}
			return v, turnstone.WaitEvent[string](ctx, "end").Err()
		})
		w.open(a, o)
		begin(w, o, "i", "x")
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.restart()
		w.raise("i", "end", "")
		completes(w, "i", "success on attempt 1")
		if runs.of("x") != 1 {
			t.Errorf("it ran %d times", runs.of("x"))
		}
	})
	scenario(t, "RTY_038 a timeout is a timer that fired, and its error can be caught", func(w *world) {
		slow := lasting("Slow", time.Minute, "")
		o := text("O", func(ctx octx, in string) (string, error) {
			_, err := slow.Call(ctx, in, turnstone.WithRetry(turnstone.NewRetryPolicy(3).WithRaceTimeout(30*ms)))
			return fmt.Sprint(err), nil
		})
		w.open(slow, o)
		begin(w, o, "i", "x")
		completes(w, "i", "timeout: activity timed out")
		if h := w.history("i", 0); h.count("TimerCreated") < 1 || h.count("TimerFired") < 1 {
			t.Errorf("history %v", h.kinds())
		}
	})
	scenario(t, "RTY_039 attempts begin anew in each execution", func(w *world) {
		runs, last := newTally(), newTally()
		a := turnstone.NewActivity("A", func(_ actx, n int) (int, error) { runs.add("A"); last.add(fmt.Sprint(n)); return n, nil })
		o := turnstone.NewOrchestration("O", func(ctx octx, n int) (int, error) {
			if _, err := a.Call(ctx, n, turnstone.WithRetry(quick)); err != nil || n == 2 {
				return n, err
			}
			return 0, turnstone.ContinueAsNew(ctx, n+1)
		})
		w.open(a, o)
		begin(w, o, "i", 0)
		completes(w, "i", 2)
		if runs.of("A") != 3 || last.of("2") != 1 {
			t.Errorf("%d runs", runs.of("A"))
		}
	})
	scenario(t, "RTY_040 attempts that are used up are followed by a new execution", func(w *world) {
		a, runs := flaky(3)
		o := turnstone.NewOrchestration("O", func(ctx octx, n int) (string, error) {
			v, err := a.Call(ctx, "x", turnstone.WithRetry(turnstone.NewRetryPolicy(2).WithBackoff(turnstone.NoBackoff())))
			if err != nil && n == 0 {
				return "", turnstone.ContinueAsNew(ctx, 1)
			}
			return v, err
		})
		w.open(a, o)
		begin(w, o, "i", 0)
		completes(w, "i", "success on attempt 3")
		w.executions("i", 2)
		if runs.of("x") != 3 {
			t.Errorf("%d runs", runs.of("x"))
		}
	})
	scenario(t, "RTY_041 two orchestrations count their attempts apart", func(w *world) {
		a, runs := flaky(2)
		others := newTally()
		second := turnstone.NewActivity("Other", func(_ actx, s string) (string, error) {
			if k := others.add(s); k < 3 {
				return "", fmt.Errorf("attempt %d failed", k)
			}
			return "done", nil
		})
		o1 := text("O1", func(ctx octx, in string) (string, error) { return a.Call(ctx, in, turnstone.WithRetry(quick)) })
		o2 := text("O2", func(ctx octx, in string) (string, error) { return second.Call(ctx, in, turnstone.WithRetry(quick)) })
		w.open(a, second, o1, o2)
		begin(w, o1, "one", "1")
		begin(w, o2, "two", "2")
		completes(w, "one", "success on attempt 2")
		completes(w, "two", "done")
		if runs.of("1") != 2 || others.of("2") != 3 {
			t.Errorf("%d and %d runs", runs.of("1"), others.of("2"))
		}
	})
	// A crash in the middle of a backoff neither forgets the attempts nor starts over.
	scenario(t, "retry across a crash", func(w *world) {
		a, runs := flaky(3)
		o := text("O", func(ctx octx, in string) (string, error) {
			return a.Call(ctx, in, turnstone.WithRetry(turnstone.NewRetryPolicy(3).WithBackoff(turnstone.FixedBackoff(100*ms))))
		})
		w.open(a, o)
		begin(w, o, "i", "x")
		w.untilHistory("i", 2, "TimerCreated")
		w.restart()
		completes(w, "i", "success on attempt 3")
		if h := w.history("i", 0); runs.of("x") != 3 || h.count("ActivityScheduled") != 3 || h.count("TimerFired") != 2 {
			t.Errorf("%d runs, history %v", runs.of("x"), h.kinds())
		}
	})
}
