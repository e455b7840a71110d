package e2e

import (
	"slices"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// TestAKillAfterEveryCommitOfACleanup: nothing goes on unless the test lets one activity end, so that no commit of the
// cleanup is skipped. The history is that of an instance that was not killed.
func TestAKillAfterEveryCommitOfACleanup(t *testing.T) {
	scenario(t, "cancelled", func(w *world) {
		let := make(chan struct{})
		do := turnstone.NewActivity("Do", func(ctx actx, what string) (string, error) {
			select {
			case <-let:
				return what, nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		})
		child := text("Child", func(ctx octx, what string) (string, error) { return do.Call(ctx, what) })
		o := turnstone.NewOrchestration("Steps", func(ctx octx, _ string) (string, error) {
			ctx.Compensate(func(ctx octx) error { return do.Start(ctx, "first").Err() })
			ctx.Compensate(func(ctx octx) error { return child.Start(ctx, "second").Err() })
			ctx.Compensate(func(ctx octx) error {
				all := turnstone.All(ctx, do.Start(ctx, "third"), do.Start(ctx, "beside it"))
				turnstone.SetKV(ctx, "done", true)
				return all
			})
			return turnstone.WaitEvent[string](ctx, "never").Await()
		}, turnstone.WithCleanup(func(ctx octx, _ *turnstone.Failure) error { return do.Start(ctx, "last").Err() }, 0))
		w.open(do, child, o)
		kinds := map[string][]string{}
		for _, id := range []string{"killed", "left"} {
			begin(w, o, id, "")
			w.untilHistory(id, 1, "ExternalSubscribed")
			w.cancel(id, "enough")
			turn := w.describe(id).Turn
			for commits := 0; ; commits++ {
				var d client.Description
				w.until("another turn is recorded", func() bool {
					d = w.describe(id)
					return d.Turn > turn || commits == 0 && d.Cleanup != nil
				})
				if commits > 0 && d.Turn != turn+1 {
					w.t.Fatalf("turn %d follows turn %d", d.Turn, turn)
				}
				turn = d.Turn
				if d.State.Terminal() {
					if commits != 5 {
						w.t.Errorf("the cleanup had %d commits", commits)
					}
					break
				}
				if id == "killed" {
					w.restart()
				}
				let <- struct{}{}
			}
			w.cancelled(id, "enough")
			kinds[id] = w.history(id, 1).kinds()
		}
		if !slices.Equal(kinds["killed"], kinds["left"]) {
			w.t.Errorf("killed: %v\nleft: %v", kinds["killed"], kinds["left"])
		}
	})
}
