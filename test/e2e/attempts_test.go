package e2e

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/limits"
)

// Attempts of a call on a real node.
func TestAttempts(t *testing.T) {
	scenario(t, "F26 attempts keep their key and their numbers across a crash", func(w *world) {
		var mu sync.Mutex
		var seen []turnstone.ActivityInfo
		keys := map[string]bool{}
		gate := make(chan struct{})
		a := turnstone.NewActivity("A", func(ctx actx, s string) (string, error) {
			mu.Lock()
			seen = append(seen, ctx.Info())
			keys[ctx.IdempotencyKey()] = true
			n := len(seen)
			mu.Unlock()
			switch n {
			case 1:
				return "", errors.New("the first attempt fails")
			case 2:
				<-gate // until its process is gone
				return "", ctx.Err()
			default:
				return s, nil
			}
		})
		o := text("O", func(ctx octx, in string) (string, error) {
			return a.Call(ctx, in, turnstone.WithRetry(turnstone.NewRetryPolicy(3).WithBackoff(turnstone.FixedBackoff(ms))))
		})
		w.open(a, o)
		begin(w, o, "i", "x")
		w.until("the second attempt runs", func() bool { mu.Lock(); defer mu.Unlock(); return len(seen) == 2 })
		w.restart()
		close(gate)
		completes(w, "i", "x")
		mu.Lock()
		defer mu.Unlock()
		for i, want := range [][2]uint32{{1, 1}, {2, 1}, {2, 2}} {
			if i >= len(seen) || seen[i].Attempt != want[0] || seen[i].Delivery != want[1] || seen[i].FirstEvent != seen[0].Event {
				t.Fatalf("runs %+v", seen)
			}
		}
		if len(seen) != 3 || len(keys) != 1 {
			t.Errorf("%d runs, keys %v", len(seen), keys)
		}
	})
	scenario(t, "F27 a result over its limit is tried once", func(w *world) {
		w.cfg.Limits = limits.Limits{PayloadBytes: 1000}
		runs := newTally()
		a := turnstone.NewActivity("A", func(_ actx, n int) (string, error) {
			runs.add("A")
			return strings.Repeat("x", n), nil
		})
		o := turnstone.NewOrchestration("O", func(ctx octx, n int) (string, error) {
			return a.Call(ctx, n, turnstone.WithRetry(quick))
		})
		w.open(a, o)
		begin(w, o, "i", 2000)
		var e *turnstone.Error
		if f := w.failure("i"); !errors.As(f, &e) || e.Kind != "Limit" || f.Retryable || runs.of("A") != 1 {
			t.Errorf("failure %v (%+v) after %d runs", f, e, runs.of("A"))
		}
	})
	scenario(t, "F58 a child with an id of its own is retried and its failure is seen", func(w *world) {
		child := text("C", func(ctx octx, good string) (string, error) {
			if ctx.Instance() == good {
				return "done", nil
			}
			return "", errors.New("boom")
		})
		o := text("P", func(ctx octx, good string) (string, error) {
			return child.Call(ctx, good, turnstone.WithChildID(strings.Repeat("c", 256)), turnstone.WithRetry(quick))
		})
		w.open(child, o)
		begin(w, o, "fails", "")
		if f := w.failure("fails"); f.Error() != "boom" {
			t.Errorf("failure %v", f)
		}
		begin(w, o, "taken", strings.Repeat("c", 256)+"::attempt::3")
		if f := w.failure("taken"); !strings.Contains(f.Error(), "already exists") {
			t.Errorf("failure %v", f)
		}
		if n := len(w.all()); n != 7 {
			t.Errorf("%d instances, want two parents and five attempts", n)
		}
	})
}
