package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
)

// sized is an activity that answers with so many bytes, and gets any.
var sized = turnstone.NewActivity("Sized", func(_ actx, n int) (turnstone.Raw, error) {
	return bytes.Repeat([]byte{'x'}, n), nil
})

// limited runs an instance below, at and above a limit: the first two complete, and the third fails and says why.
func limited(w *world, o *orch[int, string], limit int, what string) {
	w.t.Helper()
	for _, n := range []int{limit - 1, limit} {
		id := fmt.Sprint("i", n)
		begin(w, o, id, n)
		completes(w, id, "ok")
	}
	id := fmt.Sprint("i", limit+1)
	begin(w, o, id, limit+1)
	f := w.failure(id)
	if f.Category != turnstone.CategoryApplication || f.Retryable || !strings.Contains(f.Error(), what) || !strings.Contains(f.Error(), fmt.Sprint(limit)) {
		w.t.Errorf("one above the limit of %d: %+v, %v; want an error that names %q", limit, f, f, what)
	}
}

// num is an orchestration that reaches for a limit with a number.
func num(f func(ctx octx, n int) error) *orch[int, string] {
	return turnstone.NewOrchestration("O", func(ctx octx, n int) (string, error) { return "ok", f(ctx, n) })
}

func fill(n int) []byte { return bytes.Repeat([]byte{'x'}, n) }

func TestLimitsOfValues(t *testing.T) {
	scenario(t, "activity input", func(w *world) {
		w.cfg.Limits.PayloadBytes = 5000
		o := num(func(ctx octx, n int) error {
			if _, err := ctx.CallActivity("Sized", fill(n)); err == nil { // it is no number: the activity says so
				return errors.New("it was taken")
			}
			return nil
		})
		w.open(sized, o)
		limited(w, o, 5000, "activity input")
	})
	scenario(t, "activity result", func(w *world) {
		w.cfg.Limits.PayloadBytes = 5000
		o := num(func(ctx octx, n int) error { _, err := sized.Call(ctx, n); return err })
		w.open(sized, o)
		limited(w, o, 5000, "result")
	})
	scenario(t, "output", func(w *world) {
		w.cfg.Limits.PayloadBytes = 5000
		o := turnstone.NewOrchestration("O", func(_ octx, n int) (turnstone.Raw, error) { return fill(n), nil })
		w.open(o)
		for _, n := range []int{4999, 5000} {
			begin(w, o, fmt.Sprint("i", n), n)
			if out := result[turnstone.Raw](w, fmt.Sprint("i", n)); len(out) != n {
				t.Errorf("%d bytes", len(out))
			}
		}
		begin(w, o, "above", 5001)
		if f := w.failure("above"); !strings.Contains(f.Error(), "5001") || !strings.Contains(f.Error(), "5000") {
			t.Errorf("failure %v", f)
		}
	})
	scenario(t, "names", func(w *world) {
		w.cfg.Limits.NameBytes = 100
		o := num(func(ctx octx, n int) error {
			f := ctx.StartActivity(strings.Repeat("n", n), nil)
			ctx.Sleep(0)
			f.Cancel()
			return nil
		})
		w.open(o)
		limited(w, o, 100, "name")
	})
}

func TestLimitsOfAnExecution(t *testing.T) {
	scenario(t, "pending operations", func(w *world) {
		w.cfg.Limits.Pending = 50
		o := num(func(ctx octx, n int) error {
			for range n - 1 {
				turnstone.WaitEvent[string](ctx, "never")
			}
			ctx.Sleep(ms) // one more
			return nil
		})
		w.open(o)
		limited(w, o, 50, "pending")
	})
	scenario(t, "history events", func(w *world) {
		w.cfg.Limits.HistoryEvents = 50
		// The first turn has the started event, the subscriptions and the timer. What ends an execution is let through.
		o := num(func(ctx octx, n int) error {
			for range n - 2 {
				turnstone.WaitEvent[string](ctx, "never")
			}
			ctx.Sleep(ms)
			return nil
		})
		w.reopened = true
		w.open(o)
		limited(w, o, 50, "history events")
	})
	scenario(t, "history bytes", func(w *world) {
		w.cfg.Limits.HistoryBytes = 20_000
		o := num(func(ctx octx, n int) error {
			for range n {
				if _, err := sized.Call(ctx, 1000); err != nil {
					return err
				}
			}
			return nil
		})
		w.reopened = true
		w.open(sized, o)
		begin(w, o, "below", 15)
		completes(w, "below", "ok")
		begin(w, o, "above", 25)
		if f := w.failure("above"); !strings.Contains(f.Error(), "history bytes") || !strings.Contains(f.Error(), "20000") {
			t.Errorf("failure %v", f)
		}
	})
	scenario(t, "history warnings", func(w *world) {
		w.cfg.Limits.HistoryEventsWarn, w.cfg.Limits.HistoryBytesWarn = 9, 1<<20
		o := num(func(ctx octx, n int) error {
			for range n {
				if _, err := upper.Call(ctx, "x"); err != nil {
					return err
				}
			}
			return nil
		})
		w.open(upper, o)
		begin(w, o, "short", 2)
		completes(w, "short", "ok")
		if strings.Contains(w.log.String(), "history") {
			t.Errorf("a short history is warned of:\n%s", w.log)
		}
		begin(w, o, "long", 8)
		completes(w, "long", "ok")
		w.until("the warning", func() bool { return strings.Contains(w.log.String(), "history") })
	})
}

func TestLimitsOfMessagesAndTurns(t *testing.T) {
	scenario(t, "carried events", func(w *world) {
		w.cfg.Limits.Carried = 5
		o := carryAndTake()
		w.open(o)
		for _, n := range []int{4, 5, 6, 20} {
			id := fmt.Sprint("i", n)
			begin(w, o, id, n)
			for i := range n {
				w.raise(id, "kept", fmt.Sprint(i))
			}
			w.raise(id, "go", "")
			completes(w, id, "ok")
		}
	})
	scenario(t, "carried bytes", func(w *world) {
		w.cfg.Limits.CarriedBytes = 10_000
		o := carryAndTake()
		w.open(o)
		for id, size := range map[string]int{"below": 9_000, "above": 11_000} {
			begin(w, o, id, 1)
			w.raise(id, "kept", "0"+string(fill(size)))
			w.raise(id, "go", "")
			completes(w, id, "ok")
		}
	})
	scenario(t, "turn bytes", func(w *world) {
		w.cfg.Limits.TurnBytes = 50_000
		o := num(func(ctx octx, n int) error {
			var all []turnstone.Awaitable
			for range n {
				all = append(all, ctx.StartActivity("Sized", fill(1000)))
			}
			_ = turnstone.All(ctx, all...)
			return nil
		})
		w.open(sized, o)
		begin(w, o, "below", 30)
		completes(w, "below", "ok")
		w.reopened = true
		begin(w, o, "above", 60)
		if f := w.failure("above"); !strings.Contains(f.Error(), "turn") || !strings.Contains(f.Error(), "50000") {
			t.Errorf("failure %v", f)
		}
	})
	// What clients have sent meanwhile is more than a turn may have: several turns take it, and the instance lives.
	scenario(t, "messages of more than a turn", func(w *world) {
		w.cfg.Limits.TurnBytes, w.reopened = 50_000, true
		o := num(func(ctx octx, n int) error {
			for range n {
				if data, err := ctx.WaitEvent("e").Await(); err != nil || len(data) != 10_000 {
					return fmt.Errorf("%d bytes: %w", len(data), err)
				}
			}
			return nil
		})
		w.open()
		begin(w, o, "i", 20)
		for range 20 {
			if err := w.c.Raise(w.ctx, "i", "e", fill(10_000)); err != nil {
				t.Fatal(err)
			}
		}
		w.crash()
		w.open(o)
		completes(w, "i", "ok")
	})
	scenario(t, "inbox", func(w *world) {
		w.cfg.Limits.Inbox, w.cfg.TurnSlots = 10, -1
		w.open(waiting)
		begin(w, waiting, "i", "")
		for n := 1; n <= 11; n++ {
			err := w.c.Raise(w.ctx, "i", "e", nil)
			if (n <= 10) != (err == nil) || n > 10 && !errors.Is(err, turnstone.ErrBusy) {
				t.Errorf("message %d: %v", n, err)
			}
		}
		w.verified = true
	})
}

// A child's derived id may be longer than an id that a caller may choose, and clients reach it all the same.
func TestDerivedIDs(t *testing.T) {
	scenario(t, "long parent", func(w *world) {
		child := text("Child", func(ctx octx, _ string) (string, error) { return turnstone.WaitEvent[string](ctx, "go").Await() })
		o := text("Parent", func(ctx octx, _ string) (string, error) { return child.Call(ctx, "") })
		w.open(child, o)
		id := strings.Repeat("p", 256)
		begin(w, o, id, "")
		w.untilRunning(id + "::sub::2")
		w.raise(id+"::sub::2", "go", "ok")
		completes(w, id, "ok")
	})
	// The depth of automatic children ends where their ids would be too long.
	scenario(t, "deep", func(w *world) {
		deep := turnstone.NewOrchestration("Deep", func(ctx octx, n int) (int, error) {
			if n == 0 {
				return len(ctx.Instance()), nil
			}
			out, err := ctx.CallChild("Deep", fmt.Append(nil, n-1))
			if err != nil {
				return 0, err
			}
			return number(out)
		})
		w.cfg.Limits.IDBytes, w.cfg.Limits.DerivedIDBytes = 64, 64
		w.reopened = true
		w.open(deep)
		begin(w, deep, "root", 6) // root and six times ::sub::2 are 52 bytes
		if n := result[int](w, "root"); n != 52 {
			t.Errorf("the deepest id has %d bytes", n)
		}
		begin(w, deep, "more", 9)
		if f := w.failure("more"); !strings.Contains(f.Error(), "id") || !strings.Contains(f.Error(), "64") {
			t.Errorf("failure %v", f)
		}
	})
}

func number(data []byte) (n int, err error) { return n, turnstone.JSON.Decode(data, &n) }

// carryAndTake continues as new once, with events that no wait has taken, and takes n of them afterwards, in order.
func carryAndTake() *orch[int, string] {
	return num(func(ctx octx, n int) error {
		if ctx.Execution() == 1 {
			if _, err := turnstone.WaitEvent[string](ctx, "go").Await(); err != nil {
				return err
			}
			return turnstone.ContinueAsNew(ctx, n)
		}
		for i := range n {
			text, err := turnstone.WaitEvent[string](ctx, "kept").Await()
			if err != nil {
				return err
			}
			if !strings.HasPrefix(text, fmt.Sprint(i)) {
				return fmt.Errorf("event %d is %.20q", i, text)
			}
		}
		return nil
	})
}
