package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// bulky is code that does something, adds steps that undo it, and then asks for so much that an execution may not have it.
type bulky struct {
	*tidyWorld
	steps int // how many, beside that of the registration
	asks  func(ctx octx, n int)
	step  func(ctx octx)
}

func (b *bulky) code() *turnstone.Orchestration[int, string] {
	return turnstone.NewOrchestration("Bulky", func(ctx octx, n int) (string, error) {
		for i := range b.steps {
			ctx.Compensate(func(ctx octx) error {
				if b.step != nil {
					b.step(ctx)
				}
				return b.do.Start(ctx, fmt.Sprint("undo ", i)).Err()
			})
		}
		if _, err := b.do.Call(ctx, "did"); err != nil {
			return "", err
		}
		b.asks(ctx, n)
		return "ok", nil
	}, turnstone.WithCleanup(func(ctx octx, why *turnstone.Failure) error {
		if !strings.HasPrefix(why.Error(), "limit exceeded: ") {
			return why
		}
		return b.do.Start(ctx, "tidy up").Err()
	}, 0))
}

// waitForMany asks for so many waits and a timer, in one turn.
func waitForMany(ctx octx, n int) {
	for range n {
		turnstone.WaitEvent[string](ctx, "never")
	}
	ctx.Sleep(ms)
}

// TestUndoStepsRunForALimitOfTheHost: a turn that is too large, and a history that is too long, of events and of bytes.
func TestUndoStepsRunForALimitOfTheHost(t *testing.T) {
	loop := func(ctx octx, n int) {
		for range n {
			if _, err := sized.Call(ctx, 1000); err != nil {
				panic(err)
			}
		}
	}
	for _, c := range []struct {
		name   string
		limits func(w *world)
		asks   func(ctx octx, n int)
		below  int
		above  int
		says   string
	}{
		// The history has 5 events before the waits and the timer.
		{"history events", func(w *world) { w.cfg.Limits.HistoryEvents = 40 }, waitForMany, 34, 35, "history events is 41, the limit is 40"},
		{"history bytes", func(w *world) { w.cfg.Limits.HistoryBytes = 20_000 }, loop, 15, 25, "the limit is 20000"},
		{"turn bytes", func(w *world) { w.cfg.Limits.TurnBytes = 50_000 }, func(ctx octx, n int) {
			var all []turnstone.Awaitable
			for range n {
				all = append(all, ctx.StartActivity("Sized", fill(1000)))
			}
			_ = turnstone.All(ctx, all...)
		}, 30, 60, "turn bytes is "},
	} {
		scenario(t, c.name, func(w *world) {
			c.limits(w)
			w.reopened = true // a turn that is too large drops the code
			x := &bulky{tidyWorld: newTidyWorld(), steps: 2, asks: c.asks}
			o := x.code()
			w.open(x.do, sized, o)
			begin(w, o, "below", c.below)
			completes(w, "below", "ok")
			x.done = nil
			begin(w, o, "above", c.above)
			if f := w.failure("above"); !strings.Contains(f.Error(), c.says) {
				w.t.Errorf("failure %v", f)
			}
			if got := x.all(); got != "did, undo 1, undo 0, tidy up" {
				w.t.Errorf("done: %s", got)
			}
		})
	}
}

// TestUndoStepsAfterALimitOutliveKills kills the node after each turn of a cleanup that a limit began.
func TestUndoStepsAfterALimitOutliveKills(t *testing.T) {
	scenario(t, "history events", func(w *world) {
		w.cfg.Limits.HistoryEvents = 40
		x := &bulky{tidyWorld: newTidyWorld(), steps: 2, asks: waitForMany}
		o := x.code()
		w.open(x.do, o)
		begin(w, o, "i", 100)
		for turn := uint64(0); ; {
			var d client.Description
			w.until("another turn is recorded", func() bool {
				d = w.describe("i")
				return d.Turn > turn
			})
			if turn = d.Turn; d.State.Terminal() {
				break
			}
			w.restart()
		}
		if f := w.failure("i"); !strings.HasPrefix(f.Error(), "limit exceeded: history events is 106, the limit is 40;") {
			w.t.Errorf("failure %v", f)
		}
		if got := x.all(); got != "did, undo 1, undo 0, tidy up" {
			w.t.Errorf("done: %s", got)
		}
	})
}

// TestUndoStepsHaveAQuarterMoreOfHistory: steps may use it up. One that goes over it fails, and the next one runs; if there is
// no room for that either, the instance ends at once, as it was fixed.
func TestUndoStepsHaveAQuarterMoreOfHistory(t *testing.T) {
	// With a limit of 40 events, 50 are allowed. The history has 8 events when the step sets its keys; then it asks for an
	// activity, gets its answer, and the next step asks for another.
	for _, c := range []struct {
		name  string
		keys  int
		done  string
		fails int
	}{
		{"up to the limit", 39, "did, begin, undo 0, tidy up", 0},
		{"one more", 40, "did, begin, undo 0", 0},
		{"many more", 100, "did, begin, tidy up", 1},
	} {
		scenario(t, c.name, func(w *world) {
			w.cfg.Limits.HistoryEvents = 40
			w.reopened = true
			x := &bulky{tidyWorld: newTidyWorld(), steps: 1, asks: waitForMany}
			x.step = func(ctx octx) {
				_ = x.do.Start(ctx, "begin").Err()
				for i := range c.keys {
					turnstone.SetKV(ctx, "key", i)
				}
			}
			o := x.code()
			w.open(x.do, o)
			begin(w, o, "i", 100)
			if f := w.failure("i"); !strings.HasPrefix(f.Error(), "limit exceeded: history events is 105, the limit is 40;") {
				w.t.Errorf("failure %v", f)
			}
			if got := x.all(); got != c.done {
				w.t.Errorf("done: %s; want %s", got, c.done)
			}
			if h := w.history("i", 0); h.count("CompensationFailed") != c.fails {
				w.t.Errorf("history %v", h.kinds())
			}
		})
	}
}

// TestUndoStepsOfALargeTurn: the first step goes over the limit in the turn that begins it, so none can run.
func TestUndoStepsOfALargeTurn(t *testing.T) {
	scenario(t, "turn bytes", func(w *world) {
		w.cfg.Limits.TurnBytes = 20_000
		w.reopened = true
		large := func(ctx octx) {
			for range 30 {
				ctx.StartActivity("Sized", fill(1000))
			}
			ctx.Sleep(ms)
		}
		x := &bulky{tidyWorld: newTidyWorld(), steps: 1, step: large, asks: func(ctx octx, _ int) { large(ctx) }}
		o := x.code()
		w.open(x.do, sized, o)
		begin(w, o, "i", 0)
		if f := w.failure("i"); !strings.Contains(f.Error(), "turn bytes is ") {
			w.t.Errorf("failure %v", f)
		}
		if got := x.all(); got != "did" {
			w.t.Errorf("done: %s", got)
		}
	})
}
