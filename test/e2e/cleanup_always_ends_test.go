package e2e

import (
	"fmt"
	"testing"

	"github.com/turnstone-dev/turnstone"
)

// undoings are what undo steps do that a limit of the host stops, or nearly.
var undoings = map[string]func(ctx octx) error{
	"asks without end": func(ctx octx) error {
		for {
			if _, err := sized.Call(ctx, 100); err != nil {
				return err
			}
		}
	},
	"asks for too much at once": func(ctx octx) error {
		var all []turnstone.Awaitable
		for range 50 {
			all = append(all, ctx.StartActivity("Sized", fill(300)))
		}
		return turnstone.All(ctx, all...)
	},
	"panics behind a wait": func(ctx octx) error {
		ctx.Sleep(ms)
		panic("not today")
	},
	"gets an answer that is too large": func(ctx octx) error {
		_, err := sized.Call(ctx, 5000)
		return err
	},
	"waits for what never comes": func(ctx octx) error {
		for range 40 {
			turnstone.WaitEvent[string](ctx, "never")
		}
		_, err := turnstone.WaitEvent[string](ctx, "never").Await()
		return err
	},
}

// TestAnInstanceAlwaysEnds: whatever undo steps do, and whichever limit is in their way, also if it is cancelled meanwhile and the
// node is killed.
func TestAnInstanceAlwaysEnds(t *testing.T) {
	for first, one := range undoings {
		for second, other := range undoings {
			if testing.Short() && first != second {
				continue
			}
			scenario(t, first+", then one "+second, func(w *world) {
				w.cfg.Limits.HistoryEvents, w.cfg.Limits.HistoryBytes, w.cfg.Limits.TurnBytes = 40, 20_000, 4_000
				w.reopened = true
				o := turnstone.NewOrchestration("Undoes", func(ctx octx, how string) (string, error) {
					ctx.Compensate(other)
					ctx.Compensate(one)
					switch how {
					case "loop":
						for {
							if _, err := sized.Call(ctx, 100); err != nil {
								return "", err
							}
						}
					case "waits":
						return turnstone.WaitEvent[string](ctx, "go").Await()
					default:
						return "", fmt.Errorf("it %s", how)
					}
				}, turnstone.WithCleanup(func(ctx octx, why *turnstone.Failure) error { ctx.Sleep(ms); return nil }, 300*ms))
				w.open(sized, o)
				for _, how := range []string{"loop", "waits", "fails"} {
					begin(w, o, how, how)
				}
				w.untilHistory("waits", 1, "ExternalSubscribed")
				w.raise("waits", "other", string(fill(1500)))
				w.raise("waits", "other", string(fill(1500)))
				w.cancel("waits", "enough")
				w.restart()
				for _, how := range []string{"loop", "waits", "fails"} {
					w.failure(how)
				}
			})
		}
	}
}

// TestACancelReachesWhatUndoStepsLeave: a child that is waited for is cancelled, too, so that its parent can end.
func TestACancelReachesWhatUndoStepsLeave(t *testing.T) {
	scenario(t, "an undo step of a cancelled instance leaves a child that is waited for", func(w *world) {
		leaves := text("Leaves", func(ctx octx, _ string) (string, error) {
			ctx.Compensate(func(ctx octx) error {
				policyChild.Start(ctx, "", turnstone.WithChildID("left"), turnstone.WithChildPolicy(turnstone.WaitForChild))
				ctx.Sleep(ms)
				return nil
			})
			return turnstone.WaitEvent[string](ctx, "go").Await()
		})
		w.open(policyChild, leaves)
		begin(w, leaves, "l", "")
		w.untilHistory("l", 1, "ExternalSubscribed")
		w.cancel("l", "enough")
		w.restart()
		w.cancelled("l", "enough")
		w.cancelled("left", "parent canceled")
	})
}
