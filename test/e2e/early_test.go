package e2e

import (
	"errors"
	"fmt"
	"testing"

	"github.com/turnstone-dev/turnstone"
)

// sale takes money, with an undo step, and waits for the goods. first is what a build does before all that.
func sale(first func(octx) (string, error), options ...turnstone.OrchestrationOption) *orch[string, string] {
	return turnstone.NewOrchestration("Sale", func(ctx octx, _ string) (string, error) {
		if first != nil {
			return first(ctx)
		}
		ctx.Compensate(func(ctx octx) error {
			_, err := turnstone.ActivityRef[string, string]("Refund").Call(ctx, "")
			return err
		})
		if _, err := turnstone.ActivityRef[string, string]("Debit").Call(ctx, ""); err != nil {
			return "", err
		}
		_, err := turnstone.WaitEvent[string](ctx, "sent").Await()
		return "sold", err
	}, options...)
}

// earlyEnds are what a new build may do first.
var earlyEnds = map[string]func(octx) (string, error){
	"returns":          func(octx) (string, error) { return "nothing to do", nil },
	"fails":            func(octx) (string, error) { return "", errors.New("no sales any more") },
	"panics":           func(octx) (string, error) { panic("nil map") },
	"continues as new": func(ctx octx) (string, error) { return "", turnstone.ContinueAsNew(ctx, "") },
}

// TestADeployThatEndsInsideHistory must not end what the code before has carried further: the money would stay where it is.
func TestADeployThatEndsInsideHistory(t *testing.T) {
	for name, first := range earlyEnds {
		scenario(t, "code that "+name+" first holds an instance that is further", func(w *world) {
			var moves []string
			move := func(name string) turnstone.Handler {
				return turnstone.NewActivity(name, func(actx, string) (string, error) {
					moves = append(moves, name)
					return "", nil
				})
			}
			debit, refund := move("Debit"), move("Refund")
			w.cfg.Build = "1"
			w.open(debit, refund, sale(nil))
			for _, id := range []string{"done", "undone"} {
				begin(w, sale(nil), id, "")
				w.untilHistory(id, 1, "ExternalSubscribed")
			}
			w.deploy("2", debit, refund, sale(first))
			w.raise("done", "sent", "")
			w.raise("undone", "sent", "")
			for _, id := range []string{"done", "undone"} {
				says(t, w.untilHeld(id).Held.Reason, "history has CompensationPushed", "the code asked for nothing more")
			}
			w.cancel("undone", "enough") // it has an undo step, so it waits for code that fits
			w.deploy("3", debit, refund, sale(nil))
			completes(w, "done", "sold")
			w.cancelled("undone", "enough")
			if got := fmt.Sprint(moves); got != "[Debit Debit Refund]" {
				t.Errorf("it moved %s", got)
			}
		})
	}
	scenario(t, "with MayEndEarly the end stands", func(w *world) {
		none := turnstone.NewActivity("Debit", func(actx, string) (string, error) { return "", nil })
		w.cfg.Build = "1"
		other := text("Other", func(octx, string) (string, error) { return "", nil })
		w.open(none, other, sale(nil))
		begin(w, other, "o", "")
		begin(w, sale(nil), "s", "")
		w.untilHistory("s", 1, "ExternalSubscribed")
		stops := sale(earlyEnds["returns"], turnstone.MayEndEarly())
		w.deploy("2", none, stops)
		w.raise("s", "sent", "")
		completes(w, "s", "nothing to do")
		w.register(none, other) // the history of the sale is of two minds: there is nothing for the oracle
	})
}
