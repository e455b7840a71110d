package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
)

// chain is an orchestration that lives for so many executions, with a step in each.
func chain(executions int, step func(ctx octx, n int) error) *orch[int, string] {
	return turnstone.NewOrchestration("Chain", func(ctx octx, n int) (string, error) {
		if err := step(ctx, n); err != nil {
			return "", err
		}
		if n < executions {
			return "", turnstone.ContinueAsNew(ctx, n+1)
		}
		return fmt.Sprintf("completed after %d executions", n), nil
	}, turnstone.WithVersion("1.2.0"))
}

// lived checks the executions of a chain that has ended: each began in its version, all but the last continued.
func (w *world) lived(id string, executions, activities int) {
	w.t.Helper()
	completes(w, id, fmt.Sprintf("completed after %d executions", executions))
	w.executions(id, executions)
	for n := 1; n <= executions; n++ {
		h, end := w.history(id, uint64(n)), "ContinuedAsNew"
		if n == executions {
			end = "OrchestrationCompleted"
		}
		kinds := h.kinds()
		if s := h[0].GetStarted(); s.GetVersion() != "1.2.0" || kinds[len(kinds)-1] != "Orchestration"+end && kinds[len(kinds)-1] != end {
			w.t.Errorf("execution %d of %s in version %s: %v", n, id, s.GetVersion(), kinds)
		}
		if got := h.count("ActivityCompleted"); got != activities {
			w.t.Errorf("execution %d of %s has %d activities, want %d", n, id, got, activities)
		}
	}
}

func TestLongLives(t *testing.T) {
	one := func(ctx octx, n int) error { _, err := upper.Call(ctx, fmt.Sprint(n)); return err }
	scenario(t, "SC_024 a chain of five executions ends in a completion", func(w *world) {
		o := chain(5, func(octx, int) error { return nil })
		w.open(o)
		begin(w, o, "i", 1)
		w.lived("i", 5, 0)
	})
	scenario(t, "SC_025 a chain of five executions has an activity in each", func(w *world) {
		o := chain(5, one)
		w.open(upper, o)
		begin(w, o, "i", 1)
		w.lived("i", 5, 1)
	})
	scenario(t, "SC_026 five chains at once complete", func(w *world) {
		o := chain(5, one)
		w.open(upper, o)
		for i := range 5 {
			begin(w, o, fmt.Sprint("i", i), 1)
		}
		for i := range 5 {
			w.lived(fmt.Sprint("i", i), 5, 1)
		}
	})
	scenario(t, "SC_027 three actors of many executions complete", func(w *world) {
		o := chain(5, func(ctx octx, n int) error {
			for _, what := range []string{"health", "metrics", "backup", "report"} {
				if _, err := upper.Call(ctx, fmt.Sprint(what, n)); err != nil {
					return err
				}
			}
			ctx.Sleep(50 * ms)
			return nil
		})
		w.open(upper, o)
		for i := range 3 {
			begin(w, o, fmt.Sprint("actor-", i), 1)
		}
		for i := range 3 {
			w.lived(fmt.Sprint("actor-", i), 5, 4)
		}
	})
	// The timer counts from the turn that asks for it, which is behind the slow activity.
	scenario(t, "SC_028 a timer behind a slow activity is due from then", func(w *world) {
		slow, quick := lasting("Slow", 1100*ms, "slow:"), lasting("Quick", 50*ms, "quick:")
		o := text("O", func(ctx octx, in string) (string, error) {
			if _, err := slow.Call(ctx, in); err != nil {
				return "", err
			}
			fast := quick.Start(ctx, in)
			if turnstone.Race(ctx, fast, ctx.Timer(time.Second)) == 1 {
				return "the timer was first", nil
			}
			return fast.Await()
		})
		w.open(slow, quick, o)
		begin(w, o, "i", "x")
		completes(w, "i", "quick:x")
	})
}
