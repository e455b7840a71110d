package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
)

// TestF50_a_kill_while_an_instance_is_held: nothing of it is lost, and code that fits its history runs it on: what came
// meanwhile, its timer and its result, is there.
func TestF50_a_kill_while_an_instance_is_held(t *testing.T) {
	scenario(t, "changed code", func(w *world) {
		hold := newGate()
		held := turnstone.NewActivity("Held", func(ctx actx, s string) (string, error) { return s, hold.wait(ctx) })
		body := func(ctx octx, in string) (string, error) {
			result, timer := held.Start(ctx, in), ctx.Timer(200*time.Millisecond)
			if _, err := timer.Await(); err != nil {
				return "", err
			}
			out, err := result.Await()
			if err != nil {
				return "", err
			}
			end, err := turnstone.WaitEvent[string](ctx, "go").Await()
			return out + end, err
		}
		before := text("O", body)
		after := text("O", func(ctx octx, in string) (string, error) {
			if _, err := upper.Call(ctx, in); err != nil {
				return "", err
			}
			return body(ctx, in)
		})
		deploy := func(build string, o turnstone.Handler) {
			w.t.Helper()
			if w.node != nil {
				w.crash()
			}
			w.cfg.Build = build
			w.register(held, upper, o)
			w.start()
		}
		w.cfg.BackoffBase = 5 * time.Millisecond
		deploy("1", before)
		begin(w, before, "i", "x")
		w.untilHistory("i", 1, "TimerCreated")
		for _, build := range []string{"2", "2", "3"} { // builds that do not fit, the same one again too
			deploy(build, after)
			w.raise("i", "other", "") // the timer may have fired before the kill
			w.until("it is held", func() bool { return w.node.Metrics().Held == 1 })
		}
		hold.open()
		w.raise("i", "go", "y")
		if log := w.log.String(); !strings.Contains(log, "an instance is held") || !strings.Contains(log, "held_kill_test.go") {
			w.t.Errorf("the log does not show why it is held")
		}
		deploy("1", before)
		completes(w, "i", "xy")
		// The count follows the effects that told of the end.
		w.until("it is counted as held no longer", func() bool { return w.node.Metrics().Held == 0 })
	})
}
