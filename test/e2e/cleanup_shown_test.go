package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// untilLeft waits until an instance has so many undo steps left, and describes it.
func (w *world) untilLeft(id string, left int) client.Description {
	w.t.Helper()
	var d client.Description
	w.until("so many undo steps are left", func() bool {
		d = w.describe(id)
		return d.Cleanup != nil && d.Cleanup.StepsLeft == left
	})
	return d
}

// stepwise is an execution with three undo steps, the last of them that of the registration, each of which waits for an event.
func stepwise(timeout time.Duration) *turnstone.Orchestration[string, string] {
	step := func(ctx octx) error {
		_, err := turnstone.WaitEvent[string](ctx, "step").Await()
		return err
	}
	return turnstone.NewOrchestration("Stepwise", func(ctx octx, end string) (string, error) {
		ctx.Compensate(step)
		ctx.Compensate(step)
		if end == "fails" {
			return "", &turnstone.Error{Kind: "Sold", Message: "sold out"}
		}
		return turnstone.WaitEvent[string](ctx, "never").Await()
	}, turnstone.WithCleanup(func(ctx octx, _ *turnstone.Failure) error { return step(ctx) }, timeout))
}

// TestACleanupIsShown: since when, why, until when and how much is left, by a node, after a kill, and beside no node.
func TestACleanupIsShown(t *testing.T) {
	for _, c := range []struct {
		end     string
		timeout time.Duration
		is      error
		says    string
	}{
		{"cancelled", time.Hour, turnstone.ErrCancelled, "canceled: enough"},
		{"fails", -1, nil, "sold out"},
	} {
		scenario(t, c.end, func(w *world) {
			w.open(stepwise(c.timeout))
			before := time.Now().Truncate(ms)
			begin(w, stepwise(c.timeout), "i", c.end)
			if c.end == "cancelled" {
				w.untilHistory("i", 1, "ExternalSubscribed")
				if d := w.describe("i"); d.Cleanup != nil {
					w.t.Errorf("undo steps are shown before the end: %+v", d.Cleanup)
				}
				w.cancel("i", "enough")
			}
			first := w.untilLeft("i", 3)
			check := func(d client.Description, left int) {
				w.t.Helper()
				u := d.Cleanup
				if u == nil || u.StepsLeft != left || u.Since.Before(before) || u.Since.After(time.Now()) || u.Since != first.Cleanup.Since ||
					u.Failure.Error() != c.says || c.is != nil && !errors.Is(u.Failure, c.is) {
					w.t.Fatalf("the cleanup is shown as %+v", u)
				}
				if want := u.Since.Add(c.timeout); c.timeout < 0 && !u.Deadline.IsZero() || c.timeout > 0 && u.Deadline != want {
					w.t.Errorf("the steps may run until %v", u.Deadline)
				}
				says(w.t, d.Why, "runs its undo steps since "+u.Since.Format(time.RFC3339), "then it ends with: ", c.says)
				if strings.Contains(d.Why, "until") != (c.timeout > 0) {
					w.t.Errorf("why: %s", d.Why)
				}
			}
			check(first, 3)
			w.raise("i", "step", "")
			check(w.untilLeft("i", 2), 2)
			w.restart()
			check(w.describe("i"), 2)
			if all := w.all(); len(all) != 1 || all[0].Cleanup == nil || all[0].Cleanup.StepsLeft != 2 || all[0].Cleanup.Failure != nil {
				w.t.Errorf("the listing has %+v", all)
			}
			w.crash()
			r, err := node.OpenReadOnly(w.ctx, w.cfg.Dir, nil)
			if err != nil {
				w.t.Fatal(err)
			}
			d, err := r.Reader().Describe(w.ctx, "i")
			if err != nil {
				w.t.Fatal(err)
			}
			check(d, 2)
			if err := r.Close(); err != nil {
				w.t.Fatal(err)
			}
			w.start()
			w.raise("i", "step", "")
			check(w.untilLeft("i", 1), 1)
			w.raise("i", "step", "")
			if f := w.failure("i"); f.Error() != c.says {
				w.t.Errorf("it failed with %v", f)
			}
			if d := w.describe("i"); d.Cleanup != nil || d.Why != "" {
				w.t.Errorf("it has ended, and shows %+v: %s", d.Cleanup, d.Why)
			}
		})
	}
	scenario(t, "terminated", func(w *world) {
		w.open(stepwise(0))
		begin(w, stepwise(0), "i", "fails")
		w.untilLeft("i", 3)
		w.reopened = true // the history is read again to end the instance without its code
		if err := w.c.Terminate(w.ctx, "i", "now"); err != nil {
			w.t.Fatal(err)
		}
		if d := w.describe("i"); d.Cleanup != nil || !d.State.Terminal() {
			w.t.Errorf("it was terminated, and shows %+v", d)
		}
	})
}
