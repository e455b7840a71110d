package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

func TestTypedComposition(t *testing.T) {
	sums := func(ctx octx, pairs ...[2]int) []*turnstone.Future[int] {
		var all []*turnstone.Future[int]
		for _, p := range pairs {
			all = append(all, add.Start(ctx, p))
		}
		return all
	}
	mul := turnstone.NewActivity("Mul", func(_ actx, n [2]int) (int, error) { return n[0] * n[1], nil })
	divide := turnstone.NewActivity("Divide", func(_ actx, n [2]int) (int, error) {
		if n[1] == 0 {
			return 0, errors.New("division by zero")
		}
		return n[0] / n[1], nil
	})
	slow := turnstone.NewActivity("Slow", func(ctx actx, n int) (int, error) { return n, slowly(ctx, 200*ms) })
	plus := func(n int) (string, error) { return fmt.Sprint(n + 1), nil }
	for id, c := range map[string]struct {
		run  func(ctx octx) (string, error)
		want string
	}{
		"E2E_062 three typed additions are joined": {func(ctx octx) (string, error) {
			all, err := turnstone.Results(ctx, sums(ctx, [2]int{1, 110}, [2]int{2, 109}, [2]int{3, 108})...)
			return fmt.Sprint(all[0] + all[1] + all[2]), err
		}, "333"},
		"E2E_063 two typed activities of several kinds are joined": {func(ctx octx) (string, error) {
			a, b := add.Start(ctx, [2]int{3, 5}), mul.Start(ctx, [2]int{3, 5})
			if err := turnstone.All(ctx, a, b); err != nil {
				return "", err
			}
			sum, _ := a.Await()
			product, err := b.Await()
			return fmt.Sprintf("sum=%d,product=%d", sum, product), err
		}, "sum=8,product=15"},
		"E2E_064 a typed activity that is slow loses to a timer": {func(ctx octx) (string, error) {
			return []string{"completed", "timeout"}[turnstone.Race(ctx, slow.Start(ctx, 1), ctx.Timer(10*ms))], nil
		}, "timeout"},
		"E2E_065 a future's result is mapped": {func(ctx octx) (string, error) {
			return turnstone.Map(mul.Start(ctx, [2]int{21, 2}), plus).Await()
		}, "43"},
		"E2E_066 mapped futures are joined": {func(ctx octx) (string, error) {
			half := func(n int) (int, error) { return n / 2, nil }
			all, err := turnstone.Results(ctx, turnstone.Map(add.Start(ctx, [2]int{20, 2}), half),
				turnstone.Map(add.Start(ctx, [2]int{40, 4}), half))
			return fmt.Sprint(all[0] + all[1]), err
		}, "33"},
		"E2E_067 a mapped future that loses is cancelled": {func(ctx octx) (string, error) {
			mapped := turnstone.Map(slow.Start(ctx, 1), plus)
			if turnstone.Race(ctx, mapped, ctx.Timer(50*ms)) == 0 {
				return "completed", nil
			}
			return "cancelled", nil
		}, "cancelled"},
		"E2E_068 a typed error comes through a join": {func(ctx octx) (string, error) {
			good, bad := divide.Start(ctx, [2]int{10, 2}), divide.Start(ctx, [2]int{1, 0})
			err := turnstone.All(ctx, good, bad)
			v, _ := good.Await()
			return fmt.Sprintf("ok=%d,err=%v", v, err), nil
		}, "ok=5,err=division by zero"},
	} {
		scenario(t, id, func(w *world) {
			o := text("O", func(ctx octx, _ string) (string, error) { return c.run(ctx) })
			w.open(add, mul, divide, slow, o)
			begin(w, o, "i", "")
			completes(w, "i", c.want)
			if id == "E2E_067 a mapped future that loses is cancelled" && w.history("i", 0).count("ActivityCancelRequested") != 1 {
				t.Errorf("the mapped activity was not cancelled: %v", w.history("i", 0).kinds())
			}
		})
	}
}

// A saga: what succeeded is compensated when a later step fails.
func TestSaga(t *testing.T) {
	step := func(name string, broken bool) *turnstone.Activity[string, string] {
		return activity(name, func(s string) (string, error) {
			if broken {
				return "", errors.New(name + " failed")
			}
			return name + "ed:" + s, nil
		})
	}
	for id, c := range map[string]struct {
		debitFails, shipFails bool
		want                  string
	}{
		"E2E_069 a payment whose shipping fails is credited back": {false, true, "rolled_back:credited:"}, "E2E_070 a payment and its shipping succeed": {false, false, "ok"}, "E2E_071 a payment that fails ships nothing": {true, false, "debit_failed:"},
	} {
		scenario(t, id, func(w *world) {
			debit, ship := step("debit", c.debitFails), step("ship", c.shipFails)
			credit := activity("credit", func(s string) (string, error) { return "credited:" + s, nil })
			o := text("Saga", func(ctx octx, in string) (string, error) {
				paid, err := debit.Call(ctx, in)
				if err != nil {
					return "debit_failed:" + err.Error(), nil
				}
				if _, err := ship.Call(ctx, in); err != nil {
					back, err := credit.Call(ctx, paid)
					return "rolled_back:" + back, err
				}
				return "ok", nil
			})
			w.open(debit, ship, credit, o)
			begin(w, o, "i", "order")
			if got := result[string](w, "i"); !strings.HasPrefix(got, c.want) {
				t.Errorf("result %q, want %q...", got, c.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	// Not registered is not fatal at first: it is tried again with backoff, and poison in the end.
	scenario(t, "E2E_072 an activity that nothing runs fails its instance as poison", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			out, err := ctx.CallActivity("Missing", []byte(`"x"`))
			return string(out), err
		})
		w.cfg.MaxAttempts, w.cfg.BackoffBase, w.cfg.BackoffMax = 3, 10*ms, 50*ms
		w.open(o)
		begin(w, o, "i", "")
		f := w.failure("i")
		if f.Category != turnstone.CategoryPoison || !errors.Is(f, turnstone.ErrPoisoned) || f.AttemptsMax != 3 || f.Attempts != 4 {
			t.Errorf("failure %+v", f)
		}
		if !strings.HasPrefix(f.Error(), "poison: activity Missing#2 exceeded") {
			t.Errorf("text %q", f)
		}
	})
	scenario(t, "E2E_073 an event after the end is refused and nothing is recorded", func(w *world) {
		o := text("O", func(ctx octx, in string) (string, error) { return upper.Call(ctx, in) })
		w.open(upper, o)
		begin(w, o, "i", "x")
		completes(w, "i", "X")
		before := len(w.history("i", 0))
		if err := client.Raise(w.ctx, w.c, "i", "late", "event"); !errors.Is(err, turnstone.ErrInstanceEnded) {
			t.Errorf("an event after the end gave %v", err)
		}
		if after := len(w.history("i", 0)); after != before {
			t.Errorf("the history had %d events and has %d", before, after)
		}
	})
	scenario(t, "E2E_074 a positional event that precedes its wait is not delivered", func(w *world) {
		hold := newGate()
		held := turnstone.NewActivity("Held", func(ctx actx, s string) (string, error) { return s, hold.wait(ctx) })
		o := text("O", func(ctx octx, _ string) (string, error) {
			if _, err := held.Call(ctx, ""); err != nil {
				return "", err
			}
			event := turnstone.WaitEvent[string](ctx, "E", turnstone.Positional)
			if turnstone.Race(ctx, event, ctx.Timer(100*ms)) == 1 {
				return "early-event-dropped", nil
			}
			return event.Await()
		})
		w.open(held, o)
		begin(w, o, "i", "")
		w.raise("i", "E", "early")
		w.untilHistory("i", 1, "ExternalEvent")
		hold.open()
		completes(w, "i", "early-event-dropped")
	})
	scenario(t, "E2E_076 an error that is returned is the failure and the second event", func(w *world) {
		o := text("O", func(octx, string) (string, error) { return "", errors.New("oops") })
		w.open(o)
		begin(w, o, "i", "")
		f := w.failure("i")
		if f.Category != turnstone.CategoryApplication || f.Kind != turnstone.KindOrchestrationFailed || f.Message != "oops" || f.Error() != "oops" {
			t.Errorf("failure %+v", f)
		}
		if got := w.history("i", 0).kinds(); !slices.Equal(got, []string{"OrchestrationStarted", "OrchestrationFailed"}) {
			t.Errorf("history %v", got)
		}
	})
	scenario(t, "E2E_077 an activity's error is handed on as the failure", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) { return fails.Call(ctx, "bad") })
		w.open(fails, o)
		begin(w, o, "i", "")
		if f := w.failure("i"); f.Kind != turnstone.KindOrchestrationFailed || f.Error() != "bad" {
			t.Errorf("failure %+v", f)
		}
	})
	scenario(t, "E2E_078 an input that cannot be decoded is the activity's error", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			if _, err := ctx.CallActivity("Add", []byte("not JSON")); err == nil {
				return "it was taken", nil
			}
			return "ok", nil
		})
		w.open(add, o)
		begin(w, o, "i", "")
		completes(w, "i", "ok")
	})
	scenario(t, "E2E_079 an event that cannot be decoded is the wait's error", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			var decode *turnstone.DecodeError
			if _, err := turnstone.WaitEvent[int](ctx, "E").Await(); errors.As(err, &decode) {
				return "decode_err", nil
			}
			return "it was taken", nil
		})
		w.open(o)
		begin(w, o, "i", "")
		if err := w.c.Raise(w.ctx, "i", "E", []byte("not JSON")); err != nil {
			t.Fatal(err)
		}
		completes(w, "i", "decode_err")
	})
	scenario(t, "E2E_080 a second start of an id is refused and waits for the first run's result", func(w *world) {
		o := turnstone.NewOrchestration("O", func(ctx octx, _ string) (int64, error) { return ctx.UTCNow().UnixMilli(), nil })
		w.open(o)
		begin(w, o, "i", "")
		first := result[int64](w, "i")
		run, err := client.Start(w.ctx, w.c, "i", o, "")
		if !errors.Is(err, turnstone.ErrAlreadyExists) {
			t.Fatalf("the second start: %v", err)
		}
		if second, err := run.Wait(w.ctx); err != nil || second != first {
			t.Errorf("the second gives %d, %v; the first gave %d", second, err, first)
		}
	})
	scenario(t, "E2E_081 a panic fails the instance and is not retried", func(w *world) {
		o := text("O", func(octx, string) (string, error) { panic("the roof is on fire") })
		w.open(o)
		begin(w, o, "i", "")
		f := w.failure("i")
		if f.Kind != turnstone.KindPanicked || f.Retryable || f.Error() != "orchestration panicked: the roof is on fire" {
			t.Errorf("failure %+v", f)
		}
	})
}

// Long histories, and the limit on them.
func TestLongHistory(t *testing.T) {
	noop := turnstone.NewActivity("Noop", func(_ actx, n int) (int, error) { return n, nil })
	many := turnstone.NewOrchestration("Many", func(ctx octx, n int) (int, error) {
		for i := range n {
			if _, err := noop.Call(ctx, i); err != nil {
				return 0, err
			}
		}
		return n, nil
	})
	steps := fullOrShort(600, 150)
	scenario(t, "E2E_075 a long history completes, and one over its limit fails: below", func(w *world) {
		w.open(noop, many)
		began := time.Now()
		begin(w, many, "i", steps)
		completes(w, "i", steps)
		if n := len(w.history("i", 0)); n < 2*steps {
			t.Errorf("%d events", n)
		}
		t.Logf("%d activities in a row took %v", steps, time.Since(began))
	})
	scenario(t, "E2E_075 a long history completes, and one over its limit fails: over", func(w *world) {
		limit := steps * 10 / 6
		w.cfg.Limits.HistoryEvents = limit
		w.reopened = true // the engine reads the history again to end the instance without its code
		w.open(noop, many)
		begin(w, many, "i", steps)
		f := w.failure("i")
		if f.Category != turnstone.CategoryApplication || !strings.Contains(f.Error(), fmt.Sprint(limit)) || !strings.Contains(f.Error(), "history") {
			t.Errorf("failure %+v", f)
		}
	})
}
