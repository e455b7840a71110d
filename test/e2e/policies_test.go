package e2e

import (
	"errors"
	"testing"

	"github.com/turnstone-dev/turnstone"
)

var (
	policies = map[string]turnstone.ChildPolicy{
		"cancel": turnstone.CancelChild, "abandon": turnstone.AbandonChild, "wait": turnstone.WaitForChild,
	}
	policyChild = text("Waits", func(ctx octx, _ string) (string, error) {
		return turnstone.WaitEvent[string](ctx, "end").Await()
	})
	// policyParent starts a child for each policy and ends, in the way that its input says, when it is told to.
	policyParent = text("Parent", func(ctx octx, end string) (string, error) {
		if end == "second" {
			return "second", nil
		}
		for _, name := range []string{"cancel", "abandon", "wait"} {
			policyChild.Start(ctx, "", turnstone.WithChildID(ctx.Instance()+" "+name), turnstone.WithChildPolicy(policies[name]))
		}
		if _, err := turnstone.WaitEvent[string](ctx, "end").Await(); err != nil {
			return "", err
		}
		switch end {
		case "fails":
			return "", errors.New("it went wrong")
		case "continues":
			return "", turnstone.ContinueAsNew(ctx, "second")
		}
		return "out", nil
	})
)

// beginPolicies starts a parent and waits until its children run.
func (w *world) beginPolicies(id, end string) {
	w.t.Helper()
	begin(w, policyParent, id, end)
	for name := range policies {
		w.exists(id + " " + name)
		w.untilHistory(id+" "+name, 1, "ExternalSubscribed")
	}
}

// TestChildPolicies: what becomes of a child that runs when its parent completes, fails, continues as new or is cancelled.
func TestChildPolicies(t *testing.T) {
	for _, end := range []string{"completes", "fails", "continues"} {
		scenario(t, "a parent "+end+", and its children go by their policies", func(w *world) {
			w.open(policyChild, policyParent)
			for _, id := range []string{"p1", "p2"} {
				w.beginPolicies(id, end)
				w.raise(id, "end", "")
				w.cancelled(id+" cancel", "parent dropped sub-orchestration future")
				w.restart()
				if d, err := w.c.Describe(w.ctx, id); err != nil || d.State.Terminal() || d.Execution != 1 {
					t.Errorf("%s does not wait for its child: %+v, %v", id, d, err)
				}
				w.raise(id+" wait", "end", "waited")
				completes(w, id+" wait", "waited")
				switch end {
				case "completes":
					completes(w, id, "out")
				case "fails":
					if f := w.failure(id); f.Error() != "it went wrong" {
						t.Errorf("%s failed with %v", id, f)
					}
				case "continues":
					completes(w, id, "second")
				}
				w.raise(id+" abandon", "end", "free")
				completes(w, id+" abandon", "free")
			}
		})
	}
	scenario(t, "a parent is cancelled, and only its abandoned child runs on", func(w *world) {
		w.open(policyChild, policyParent)
		w.beginPolicies("p", "completes")
		w.cancel("p", "enough")
		w.restart()
		w.cancelled("p", "enough")
		w.cancelled("p cancel", "parent canceled")
		w.cancelled("p wait", "parent canceled")
		w.raise("p abandon", "end", "free")
		completes(w, "p abandon", "free")
	})
}
