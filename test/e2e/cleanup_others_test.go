package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// TestChildrenCleanUpWhenTheirParentIsCancelled: a child's steps begin with the parent's. The parent waits for the end of a
// child whose policy says so, and for no other.
func TestChildrenCleanUpWhenTheirParentIsCancelled(t *testing.T) {
	child := turnstone.NewOrchestration("Child", func(ctx octx, _ string) (string, error) {
		return turnstone.WaitEvent[string](ctx, "end").Await()
	}, turnstone.WithCleanup(func(ctx octx, _ *turnstone.Failure) error {
		return turnstone.WaitEvent[string](ctx, "step").Err()
	}, 0))
	parent := text("Parent", func(ctx octx, policy string) (string, error) {
		ctx.Compensate(func(ctx octx) error { return turnstone.WaitEvent[string](ctx, "step").Err() })
		return child.Start(ctx, "", turnstone.WithChildID("c"), turnstone.WithChildPolicy(policies[policy])).Await()
	})
	begun := func(w *world, policy string) {
		w.open(child, parent)
		begin(w, parent, "p", policy)
		w.exists("c")
		w.untilHistory("c", 1, "ExternalSubscribed")
		w.cancel("p", "enough")
		w.untilLeft("p", 1)
		w.restart()
	}
	scenario(t, "cancel", func(w *world) {
		begun(w, "cancel")
		w.untilLeft("c", 1)
		w.raise("p", "step", "")
		w.cancelled("p", "enough")
		w.restart()
		w.untilLeft("c", 1)
		w.raise("c", "step", "")
		w.cancelled("c", "parent canceled")
	})
	scenario(t, "wait", func(w *world) {
		begun(w, "wait")
		w.untilLeft("c", 1)
		w.raise("p", "step", "")
		w.untilLeft("p", 0)
		w.restart()
		if d := w.untilLeft("p", 0); d.State.Terminal() || d.OpenChildren != 1 {
			w.t.Errorf("the parent does not wait: %+v", d)
		}
		w.raise("c", "step", "")
		w.cancelled("c", "parent canceled")
		w.cancelled("p", "enough")
	})
	scenario(t, "wait, and the child is done first", func(w *world) {
		begun(w, "wait")
		w.untilLeft("c", 1)
		w.raise("c", "step", "")
		w.cancelled("c", "parent canceled")
		w.untilHistory("p", 1, "SubOrchestrationFailed")
		w.restart()
		w.untilLeft("p", 1)
		w.raise("p", "step", "")
		w.cancelled("p", "enough")
	})
	scenario(t, "abandon", func(w *world) {
		begun(w, "abandon")
		w.raise("p", "step", "")
		w.cancelled("p", "enough")
		if d := w.describe("c"); d.Cleanup != nil {
			w.t.Errorf("the child cleans up: %+v", d)
		}
		w.raise("c", "end", "free")
		completes(w, "c", "free")
	})
}

// TestWhatComesDuringACleanup: a termination ends it at once, a cancel and the end of the execution's time change nothing.
func TestWhatComesDuringACleanup(t *testing.T) {
	o := stepwise(0)
	steps := func(w *world, n int) {
		for left := n; left > 0; left-- {
			w.untilLeft("i", left)
			w.raise("i", "step", "")
		}
	}
	scenario(t, "a termination", func(w *world) {
		w.open(o)
		w.reopened = true // the history is read again to end the instance without its code
		begin(w, o, "i", "fails")
		w.untilLeft("i", 3)
		w.raise("i", "step", "")
		w.untilLeft("i", 2)
		if err := w.c.Terminate(w.ctx, "i", "now"); err != nil {
			w.t.Fatal(err)
		}
		if f := w.failure("i"); !errors.Is(f, turnstone.ErrTerminated) || f.Reason != "now" {
			w.t.Errorf("it failed with %v", f)
		}
		if err := client.Raise(w.ctx, w.c, "i", "step", ""); !errors.Is(err, turnstone.ErrInstanceEnded) {
			w.t.Errorf("an event for a step: %v", err)
		}
		w.restart()
		d := w.describe("i")
		if h := w.history("i", 0); h.count("CompensationFailed") != 0 || h.count("ExternalSubscribed") != 2 || h.count("OrchestrationFailed") != 1 ||
			d.OpenTimers+d.Inbox != 0 {
			w.t.Errorf("%+v: history %v", d, h.kinds())
		}
	})
	for end, text := range map[string]string{"cancelled": "canceled: enough", "fails": "sold out"} {
		scenario(t, end+", and a cancel", func(w *world) {
			w.open(o)
			begin(w, o, "i", end)
			if end == "cancelled" {
				w.untilHistory("i", 1, "ExternalSubscribed")
				w.cancel("i", "enough")
			}
			w.untilLeft("i", 3)
			w.cancel("i", "again")
			w.restart()
			steps(w, 3)
			if f := w.failure("i"); f.Error() != text {
				w.t.Errorf("it failed with %v", f)
			}
			if h := w.history("i", 0); h.count("CompensationFailed") != 0 {
				w.t.Errorf("history %v", h.kinds())
			}
		})
	}
	scenario(t, "the end of the execution's time", func(w *world) {
		const bound = 300 * ms
		w.open(o)
		before := time.Now()
		later(w, o, "i", "fails", client.WithExecutionTimeout(bound))
		if d := w.untilLeft("i", 3); d.OpenTimers != 1 { // that of the steps
			w.t.Errorf("%d timers are open", d.OpenTimers)
		}
		w.until("its time is over", func() bool { return time.Since(before) > 2*bound })
		w.restart()
		steps(w, 3)
		if f := w.failure("i"); f.Error() != "sold out" {
			w.t.Errorf("it failed with %v", f)
		}
	})
}

// TestAStatusOverTheLimitIsSeenByUndoStepsOnly: code that sets one is ended, and clients see the status before. The steps see
// it as the code has left it, and set another.
func TestAStatusOverTheLimitIsSeenByUndoStepsOnly(t *testing.T) {
	scenario(t, "a limit of 100 bytes", func(w *world) {
		w.cfg.Limits.StatusBytes = 100
		o := turnstone.NewOrchestration("Status", func(ctx octx, n int) (string, error) {
			ctx.SetStatus("before")
			ctx.Sleep(ms)
			ctx.SetStatus(strings.Repeat("x", n))
			return "", &turnstone.Error{Kind: "Over", Message: "over"}
		}, turnstone.WithCleanup(func(ctx octx, _ *turnstone.Failure) error {
			seen, _ := ctx.Status()
			_ = turnstone.WaitEvent[string](ctx, "step").Err()
			again, _ := ctx.Status()
			ctx.SetStatus(fmt.Sprint(len(seen), " and ", len(again), " bytes"))
			return nil
		}, 0))
		w.open(o)
		for _, c := range []struct {
			bytes             int
			ends, shows, then string
		}{
			{101, "custom status is 101 bytes, the limit is 100 bytes", "before", "101 and 101 bytes"},
			{100, "over", strings.Repeat("x", 100), "100 and 100 bytes"},
		} {
			id := c.ends
			begin(w, o, id, c.bytes)
			if d := w.untilLeft(id, 1); d.CustomStatus == nil || *d.CustomStatus != c.shows {
				w.t.Errorf("%s: it shows %+v", id, d)
			}
			w.raise(id, "step", "")
			if f := w.failure(id); !strings.Contains(f.Error(), c.ends) {
				w.t.Errorf("it failed with %v", f)
			}
			if d := w.describe(id); *d.CustomStatus != c.then {
				w.t.Errorf("%s: it shows %q", id, *d.CustomStatus)
			}
		}
	})
}
