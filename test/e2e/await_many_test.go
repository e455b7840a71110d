package e2e

import (
	"fmt"
	"testing"

	"github.com/turnstone-dev/turnstone"
)

// TestManyAwaitOne: hundreds of waits for the end of one instance, some of instances that go on as new or have ended themselves,
// are each answered once, although the node is killed while they are.
func TestManyAwaitOne(t *testing.T) {
	many := turnstone.NewOrchestration("Many", func(ctx octx, rounds int) (int, error) {
		var all []turnstone.Awaitable
		for range 60 {
			all = append(all, turnstone.AwaitInstance[string](ctx, "t"))
		}
		switch {
		case rounds > 0: // all are given up
			return 0, turnstone.ContinueAsNew(ctx, rounds-1)
		case rounds < 0:
			return 0, nil
		}
		err := turnstone.All(ctx, all...)
		return len(all), err
	})
	scenario(t, "many", func(w *world) {
		w.open(target, many)
		begin(w, target, "t", 30_000)
		for i := range 9 {
			begin(w, many, fmt.Sprint("m", i), i%3-1)
		}
		for i := range 9 {
			if i%3 != 0 {
				w.untilHistory(fmt.Sprint("m", i), 60, "AwaitScheduled")
			}
		}
		w.raise("t", "end", "")
		for range 4 {
			w.restart()
		}
		for i := range 9 {
			id := fmt.Sprint("m", i)
			want := 60
			if i%3 == 0 {
				want = 0
			}
			completes(w, id, want)
			d := w.describe(id)
			if h := w.history(id, d.Execution); want > 0 && h.count("AwaitEnded") != want {
				w.t.Errorf("%s has %d answers", id, h.count("AwaitEnded"))
			}
			if d.Inbox != 0 {
				w.t.Errorf("%s has %d messages left", id, d.Inbox)
			}
		}
	})
}
