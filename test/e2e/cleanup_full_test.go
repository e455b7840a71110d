package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// TestKillsDuringAFullCleanup kills the node after each recorded turn of an execution whose undo steps use what code may use:
// what they send arrives once, and every query sees what the last recorded turn has left.
func TestKillsDuringAFullCleanup(t *testing.T) {
	tells := text("Tells", func(ctx octx, _ string) (string, error) {
		var all []string
		for len(all) < 4 {
			all = append(all, next(ctx, "told"))
		}
		return strings.Join(all, " "), nil
	})
	beats := turnstone.NewActivity("Beats", func(ctx actx, what string) (string, error) {
		return what, ctx.Heartbeat(what)
	})
	timeouts := []turnstone.TimeoutOption{turnstone.HeartbeatTimeout(time.Minute), turnstone.StartToClose(time.Minute),
		turnstone.ScheduleToStart(time.Minute), turnstone.ScheduleToClose(time.Hour)}
	o := text("Full", func(ctx octx, to string) (string, error) {
		step, told := 0, ""
		turnstone.HandleQuery(ctx, "step", func(struct{}) (int, error) {
			seen, _, err := turnstone.GetKV[int](ctx, "step")
			if err == nil && seen != step {
				err = &turnstone.Error{Kind: "Apart", Message: "the variable and the key differ"}
			}
			return step, err
		})
		set := func(ctx octx) {
			step++
			turnstone.SetKV(ctx, "step", step)
		}
		undo := func(name string) {
			ctx.Compensate(func(ctx octx) error {
				if !ctx.Patched("told " + name) {
					return &turnstone.Error{Kind: "Old", Message: "the old way"}
				}
				set(ctx)
				v, err := turnstone.SideEffect(ctx, func() string { return "undo-" + name })
				if err != nil {
					return err
				}
				if _, err := beats.Call(ctx, v, timeouts[0], timeouts[1], timeouts[2], timeouts[3]); err != nil {
					return err
				}
				set(ctx)
				told += v
				return turnstone.Enqueue(ctx, to, "told", v).Err()
			})
		}
		for _, name := range []string{"a", "b"} {
			undo(name)
			set(ctx)
			if err := turnstone.Enqueue(ctx, to, "told", name).Err(); err != nil {
				return "", err
			}
		}
		return turnstone.WaitEvent[string](ctx, "never").Await()
	})
	for _, end := range []string{"cancel", "timeout"} {
		scenario(t, end, func(w *world) {
			w.open(tells, beats, o)
			begin(w, tells, "r", "")
			if end == "cancel" {
				begin(w, o, "i", "r")
			} else {
				later(w, o, "i", "r", client.WithExecutionTimeout(700*ms))
			}
			w.untilHistory("i", 1, "ExternalSubscribed")
			if end == "cancel" {
				w.cancel("i", "enough")
			}
			for turn := uint64(0); ; {
				var d client.Description
				w.until("another turn is recorded", func() bool {
					var err error
					d, err = w.c.Describe(w.ctx, "i")
					return err == nil && d.Turn > turn
				})
				turn = d.Turn
				if d.State.Terminal() {
					break
				}
				if _, err := client.Query[int](w.ctx, w.c, "i", "step", struct{}{}); err != nil && strings.Contains(err.Error(), "differ") {
					w.t.Error(err)
				}
				w.restart()
			}
			if end == "cancel" {
				w.cancelled("i", "enough")
			} else {
				w.timedOut("i", "execution timed out: it took longer than 700ms")
			}
			completes(w, "r", "a b undo-b undo-a")
			if h := w.history("i", 1); h.count("CompensationFailed") != 0 || h.count("ActivityScheduled") != 2 {
				w.t.Errorf("history %v", h.kinds())
			}
		})
	}
}
