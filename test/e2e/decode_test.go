package e2e

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// sum is an amount of money as yesterday's code has it, cents as that of today, and either reads both.
type (
	sum    struct{ Amount int }
	cents  struct{ Amount string }
	either struct{ Amount any }
)

// opened opens the node with a build of the code.
func (w *world) opened(build string, handlers ...turnstone.Handler) *world {
	w.t.Helper()
	w.cfg.Build = build
	w.open(handlers...)
	return w
}

// redeploy kills the node and opens it with other code.
func (w *world) redeploy(build string, handlers ...turnstone.Handler) {
	w.t.Helper()
	w.crash()
	w.cfg.Build = build
	w.open(handlers...)
}

// payment is an orchestration "Pay" of a type of input. It waits twice and says what it was given.
func payment[I any](options ...turnstone.OrchestrationOption) *orch[I, string] {
	return turnstone.NewOrchestration("Pay", func(ctx octx, in I) (string, error) {
		for range 2 {
			if err := turnstone.WaitEvent[string](ctx, "go").Err(); err != nil {
				return "", err
			}
		}
		said, err := json.Marshal(in)
		return string(said), err
	}, options...)
}

func TestAnInputThatCannotBeDecodedHolds(t *testing.T) {
	scenario(t, "of an instance that runs, until the code reads both forms", func(w *world) {
		begin(w.opened("1", payment[sum]()), payment[sum](), "i", sum{7})
		w.raise("i", "go", "")
		w.untilHistory("i", 1, "ExternalEvent")
		for range 2 { // the same build twice: the reason is logged once
			w.redeploy("2", payment[cents]())
			w.raise("i", "go", "")
			d := w.untilHeld("i")
			says(t, d.Held.Reason, "cannot decode the input of orchestration Pay, event 1, as e2e.cents with the codec \"json\": ",
				"cannot unmarshal number", "run code whose type and codec read it")
		}
		if n := strings.Count(w.log.String(), "an instance is held"); n != 1 {
			t.Errorf("it is logged %d times", n)
		}
		w.redeploy("3", payment[either]())
		completes(w, "i", `{"Amount":7}`)
	})
	scenario(t, "of an instance whose first turn comes after the change", func(w *world) {
		round := func(ctx octx, in either) (string, error) {
			if err := turnstone.WaitEvent[string](ctx, "go").Err(); err != nil {
				return "", err
			}
			return "", turnstone.ContinueAsNew(ctx, sum{7})
		}
		first := turnstone.NewOrchestration("Pay", round)
		begin(w.opened("1", first), first, "i", either{"x"})
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.redeploy("2", first, payment[cents](turnstone.WithVersion("2.0.0")))
		w.raise("i", "go", "")
		says(t, w.untilHeld("i").Held.Reason, "cannot decode the input of orchestration Pay", "e2e.cents")
		if d := w.describe("i"); d.Execution != 2 || d.State != client.StatePending {
			t.Errorf("it is %+v", d)
		}
		w.redeploy("3", first, payment[either](turnstone.WithVersion("2.0.0")))
		w.raise("i", "go", "")
		w.raise("i", "go", "")
		completes(w, "i", `{"Amount":7}`)
	})
	scenario(t, "that a client sent and no code reads, until it is cancelled", func(w *world) {
		w.opened("1", payment[sum]())
		if _, err := w.c.Start(w.ctx, "wrong", "Pay", []byte("not JSON")); err != nil {
			t.Fatal(err)
		}
		begin(w, payment[sum](), "right", sum{7})
		says(t, w.untilHeld("wrong").Held.Reason, "cannot decode the input of orchestration Pay, event 1, as e2e.sum")
		if c := w.counts(); c.Held != 1 || c.Failed != 0 {
			t.Errorf("counts %+v", c)
		}
		if err := w.c.Cancel(w.ctx, "wrong", "a typing error"); err != nil {
			t.Fatal(err)
		}
		if f := w.failure("wrong"); !errors.Is(f, turnstone.ErrCancelled) {
			t.Errorf("failure %v", f)
		}
	})
}

// A result of another type is no failure of the activity: code that undoes what failed must not run.
func TestAResultThatCannotBeDecodedHolds(t *testing.T) {
	scenario(t, "that came after the change, and that was read before it", func(w *world) {
		hold := newGate()
		charge := turnstone.NewActivity("Charge", func(ctx actx, s string) (sum, error) { return sum{len(s)}, hold.wait(ctx) })
		refund := turnstone.NewActivity("Refund", func(actx, string) (string, error) {
			t.Error("what was paid is paid back")
			return "", nil
		})
		begin(w.opened("1", charge, refund, charging[sum](refund)), charging[sum](refund), "i", "book")
		w.untilHistory("i", 1, "ActivityScheduled")
		w.redeploy("2", charge, refund, charging[cents](refund))
		hold.open()
		const reason = "cannot decode the result of activity Charge, event 2, as e2e.cents with the codec \"json\" at "
		says(t, w.untilHeld("i").Held.Reason, reason, "decode_test.go:")
		w.redeploy("3", charge, refund, charging[either](refund))
		w.untilHistory("i", 1, "ActivityCompleted")
		w.redeploy("2", charge, refund, charging[cents](refund))
		w.raise("i", "go", "")
		says(t, w.untilHeld("i").Held.Reason, reason)
		w.redeploy("3", charge, refund, charging[either](refund))
		completes(w, "i", `{"Amount":4}`)
	})
}

// charging reads the result of an activity as a T and undoes it if it failed.
func charging[T any](refund *turnstone.Activity[string, string]) *orch[string, string] {
	return text("Order", func(ctx octx, in string) (string, error) {
		paid, err := turnstone.ActivityRef[string, T]("Charge").Call(ctx, in)
		if err != nil {
			if _, err := refund.Call(ctx, in); err != nil {
				return "", err
			}
			return "", err
		}
		if err := turnstone.WaitEvent[string](ctx, "go").Err(); err != nil {
			return "", err
		}
		said, err := json.Marshal(paid)
		return string(said), err
	})
}

func TestAnEventThatCannotBeDecoded(t *testing.T) {
	code := func(kind func(ctx octx) error) *orch[string, string] {
		return text("O", func(ctx octx, _ string) (string, error) {
			said := "decoded"
			var wrong *turnstone.DecodeError
			if err := kind(ctx); errors.As(err, &wrong) {
				said = "decode_err"
			}
			err := turnstone.WaitEvent[string](ctx, "go").Err()
			return said, err
		})
	}
	asText := code(func(ctx octx) error { return turnstone.WaitEvent[string](ctx, "E").Err() })
	asNumber := code(func(ctx octx) error { return turnstone.WaitEvent[int](ctx, "E").Err() })
	asAny := code(func(ctx octx) error { return turnstone.WaitEvent[any](ctx, "E").Err() })
	scenario(t, "is the error of the code, is logged once, and stays so", func(w *world) {
		w.opened("1", asNumber)
		for _, id := range []string{"a", "b"} {
			begin(w, asNumber, id, "")
			w.raise(id, "E", "seven")
			w.untilHistory(id, 1, "ExternalEvent")
		}
		log := w.log.String()
		if n := strings.Count(log, "the code is told that it cannot decode a recorded value"); n != 1 {
			t.Errorf("it is logged %d times", n)
		}
		says(t, log, "level=WARN", "instance_id=a", "at event 2 event E cannot be decoded as int at ", "decode_test.go:", "cannot unmarshal string")
		w.redeploy("2", asAny) // it reads the value, and is told what the code was told
		for _, id := range []string{"a", "b"} {
			w.raise(id, "go", "")
			completes(w, id, "decode_err")
		}
	})
	scenario(t, "holds what has decoded it before", func(w *world) {
		begin(w.opened("1", asText), asText, "i", "")
		w.raise("i", "E", "seven")
		w.untilHistory("i", 1, "ExternalEvent")
		w.redeploy("2", asNumber)
		w.raise("i", "go", "")
		says(t, w.untilHeld("i").Held.Reason, "cannot decode event E, event 2, as int with the codec \"json\" at ", "decode_test.go:")
		w.redeploy("3", asAny)
		completes(w, "i", "decoded")
		if d := w.describe("i"); d.State != client.StateCompleted {
			t.Errorf("it is %+v", d)
		}
	})
}
