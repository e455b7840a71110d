package turnstone_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// flaky fails until its nth run and says in which run it is.
func flaky(n int) *turnstone.Activity[string, string] {
	runs := 0
	return turnstone.NewActivity("Flaky", func(_ turnstone.ActivityContext, s string) (string, error) {
		runs++
		if runs < n {
			return "", fmt.Errorf("attempt %d failed", runs)
		}
		return fmt.Sprintf("success on attempt %d", runs), nil
	})
}

func retrying(a *turnstone.Activity[string, string], p turnstone.RetryPolicy) turnstone.Handler {
	return orchestration(func(ctx *turnstone.Context) (string, error) {
		return a.Call(ctx, "x", turnstone.WithRetry(p))
	})
}

func timersCreated(e *turnpb.Event) bool { return e.GetTimerCreated() != nil }
func timersFired(e *turnpb.Event) bool   { return e.GetTimerFired() != nil }
func scheduled(e *turnpb.Event) bool     { return e.GetActivityScheduled() != nil }

// The retry loop on the core alone, resident and replayed before every turn.
func TestRetry(t *testing.T) {
	three := turnstone.NewRetryPolicy(3)
	for _, c := range []struct {
		id     string
		failed int // runs that fail first
		policy turnstone.RetryPolicy
		want   string
		err    string
		runs   int
		timers int
	}{
		{"RTY_024 a success is the first attempt alone", 0, three, "success on attempt 1", "", 1, 0},
		{"RTY_025 two failures are followed by a success", 2, three, "success on attempt 3", "", 3, 2},
		{"RTY_026 the last of three failures is the error", 9, three, "", "attempt 3 failed", 3, 2},
		{"RTY_027 a single attempt's failure is the error", 9, turnstone.NewRetryPolicy(1), "", "attempt 1 failed", 1, 0},
		{"RTY_028 a backoff is a timer before each further attempt", 2, three.WithBackoff(turnstone.FixedBackoff(50 * ms)), "success on attempt 3", "", 3, 2},
		{"RTY_029 no backoff makes no timers", 2, three.WithBackoff(turnstone.NoBackoff()), "success on attempt 3", "", 3, 0},
		{"RTY_035 a success at attempt 4 has four schedules", 3, turnstone.NewRetryPolicy(5), "success on attempt 4", "", 4, 3},
		{"RTY_036 a success at attempt 10 of 20 has ten calls", 9, turnstone.NewRetryPolicy(20), "success on attempt 10", "", 10, 9},
	} {
		t.Run(c.id, func(t *testing.T) {
			both(t, func(t *testing.T, cold bool) {
				a := flaky(c.failed + 1)
				d := newDriver(t, a, retrying(a, c.policy))
				d.cold = cold
				out := d.run("O", "i", struct{}{})
				if c.err == "" {
					out.completes(t, c.want)
				} else {
					out.fails(t, c.err)
				}
				if d.attempts["Flaky"] != c.runs || count(out.history, scheduled) != c.runs {
					t.Errorf("%d runs, %d scheduled, want %d", d.attempts["Flaky"], count(out.history, scheduled), c.runs)
				}
				if n := count(out.history, timersCreated); n != c.timers {
					t.Errorf("%d timers, want %d", n, c.timers)
				}
			})
		})
	}
}

func TestRetryTimeout(t *testing.T) {
	t.Run("RTY_030 an attempt that takes too long is a timeout", func(t *testing.T) {
		both(t, func(t *testing.T, cold bool) {
			a := flaky(1)
			var seen error
			d := newDriver(t, a, orchestration(func(ctx *turnstone.Context) (_ string, err error) {
				_, seen = a.Call(ctx, "x", turnstone.WithRetry(turnstone.NewRetryPolicy(3).WithRaceTimeout(100*ms)))
				return "", seen
			}))
			d.cold, d.silent = cold, map[string]bool{"Flaky": true}
			out := d.run("O", "i", struct{}{})
			f := out.fails(t, "timeout: activity timed out")
			var e *turnstone.Error
			if !errors.Is(seen, turnstone.ErrActivityTimeout) {
				t.Errorf("the orchestration saw %v", seen)
			}
			if !errors.As(f, &e) || e.Kind != "Timeout" {
				t.Errorf("%#v", f)
			}
			if count(out.history, scheduled) != 1 || count(out.history, timersFired) != 1 {
				t.Errorf("history %v", out.history)
			}
			if n := count(out.history, func(e *turnpb.Event) bool { return e.GetActivityCancelRequested() != nil }); n != 1 {
				t.Errorf("the activity that was too slow was cancelled %d times, want once", n)
			}
		})
	})
	t.Run("RTY_031 an attempt that is fast enough succeeds", func(t *testing.T) {
		a := flaky(1)
		d := newDriver(t, a, retrying(a, turnstone.NewRetryPolicy(3).WithRaceTimeout(time.Minute)))
		out := d.run("O", "i", struct{}{})
		out.completes(t, "success on attempt 1")
		if count(out.history, timersCreated) != 1 || count(out.history, timersFired) != 0 {
			t.Errorf("history %v", out.history)
		}
	})
}

func TestRetryEndsAtOnce(t *testing.T) {
	a := turnstone.NewActivity("Flaky", func(_ turnstone.ActivityContext, s string) (string, error) {
		return "", fmt.Errorf("wrapped: %w", &turnstone.Error{Kind: "Fatal", Message: "no use", NonRetryable: true})
	})
	d := newDriver(t, a, retrying(a, turnstone.NewRetryPolicy(5)))
	d.run("O", "i", struct{}{}).fails(t, "wrapped: no use")
	if d.attempts["Flaky"] != 1 {
		t.Errorf("%d runs, want 1", d.attempts["Flaky"])
	}
}

// Retried work is a future like any other: it can be raced and cancelled, and several run at once.
func TestRetryComposes(t *testing.T) {
	both(t, func(t *testing.T, cold bool) {
		a := turnstone.NewActivity("Never", func(turnstone.ActivityContext, string) (string, error) {
			return "", errors.New("no")
		})
		d := newDriver(t, a, upper, orchestration(func(ctx *turnstone.Context) (any, error) {
			policy := turnstone.WithRetry(turnstone.NewRetryPolicy(100).WithBackoff(turnstone.FixedBackoff(time.Second)))
			work := a.Start(ctx, "x", policy)
			won := turnstone.Race(ctx, work, ctx.Timer(2500*ms))
			_, err := work.Await()
			raw, err2 := ctx.CallActivity("Upper", []byte(`"u"`), policy)
			return []any{won, errors.Is(err, turnstone.ErrCancelled), string(raw), err2 == nil}, nil
		}))
		d.cold = cold
		d.run("O", "i", struct{}{}).completes(t, []any{1, true, `"U"`, true})
		if d.attempts["Never"] != 3 {
			t.Errorf("%d runs, want 3: at 0, 1 and 2 s", d.attempts["Never"])
		}
	})
}

func TestF26_all_attempts_of_a_call_share_one_key(t *testing.T) {
	both(t, func(t *testing.T, cold bool) {
		var seen []string
		charge := turnstone.NewActivity("Charge", func(ctx turnstone.ActivityContext, fails int) (string, error) {
			i := ctx.Info()
			seen = append(seen, fmt.Sprint(i.Attempt, " ", i.Delivery, " ", ctx.IdempotencyKey()))
			if i.Attempt <= uint32(fails) {
				return "", errors.New("no")
			}
			return ctx.IdempotencyKey(), nil
		})
		policy := turnstone.WithRetry(turnstone.NewRetryPolicy(3).WithBackoff(turnstone.FixedBackoff(time.Second)))
		d := newDriver(t, charge, orchestration(func(ctx *turnstone.Context) ([]string, error) {
			return turnstone.Results(ctx, charge.Start(ctx, 2, policy), charge.Start(ctx, 0, policy), charge.Start(ctx, 0))
		}))
		d.cold = cold
		out := d.run("O", "i", struct{}{})
		first := map[uint64]bool{}
		for _, e := range out.history {
			if a := e.GetActivityScheduled(); a != nil && a.GetAttempt() > 1 {
				first[a.GetFirstEvent()] = true
			}
		}
		// The call without a policy is scheduled first: the coroutines of the other two begin when the code waits.
		out.completes(t, []string{"i/1/1/3", "i/1/1/4", "i/1/1/2"})
		want := []string{"1 1 i/1/1/2", "1 1 i/1/1/3", "1 1 i/1/1/4", "2 1 i/1/1/3", "3 1 i/1/1/3"}
		if !slices.Equal(seen, want) || len(first) != 1 || !first[3] {
			t.Errorf("runs %q, want %q; first events %v", seen, want, first)
		}
	})
}
