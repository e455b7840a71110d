package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
)

// shows compares the custom status of an instance; "" is none.
func (w *world) shows(id, want string, version uint64) {
	w.t.Helper()
	d := w.describe(id)
	got := ""
	if d.CustomStatus != nil {
		got = *d.CustomStatus
	}
	if got != want || d.CustomStatusVersion != version || (want == "") != (d.CustomStatus == nil) {
		w.t.Errorf("%s shows %.50q of version %d, want %.50q of version %d", id, got, d.CustomStatusVersion, want, version)
	}
}

// shown is an instance that ends after what f does with its status.
func shown(w *world, f func(ctx octx) error) {
	w.t.Helper()
	o := text("O", func(ctx octx, _ string) (string, error) { return "ok", f(ctx) })
	w.open(upper, o)
	begin(w, o, "i", "")
}

func TestCustomStatus(t *testing.T) {
	scenario(t, "CST_001 a status is seen after the end", func(w *world) {
		shown(w, func(ctx octx) error { ctx.SetStatus("step-1"); return nil })
		completes(w, "i", "ok")
		w.shows("i", "step-1", 1)
	})
	scenario(t, "CST_002 a status that is reset is missing", func(w *world) {
		shown(w, func(ctx octx) error { ctx.SetStatus("step-1"); ctx.ResetStatus(); return nil })
		completes(w, "i", "ok")
		w.shows("i", "", 1) // one turn, one version
	})
	scenario(t, "CST_003 the last of three statuses in a turn counts", func(w *world) {
		shown(w, func(ctx octx) error {
			for i := range 3 {
				ctx.SetStatus(fmt.Sprint("step-", i+1))
			}
			return nil
		})
		completes(w, "i", "ok")
		w.shows("i", "step-3", 1)
	})
	scenario(t, "CST_004 a status stays through an activity", func(w *world) {
		shown(w, func(ctx octx) error { ctx.SetStatus("step-1"); _, err := upper.Call(ctx, "x"); return err })
		completes(w, "i", "ok")
		w.shows("i", "step-1", 1)
	})
	scenario(t, "CST_005 a later turn's status replaces the earlier", func(w *world) {
		shown(w, func(ctx octx) error {
			ctx.SetStatus("step-1")
			_, err := upper.Call(ctx, "x")
			ctx.SetStatus("step-2")
			return err
		})
		completes(w, "i", "ok")
		w.shows("i", "step-2", 2)
	})
	scenario(t, "CST_006 a status that was never set is version 0", func(w *world) {
		shown(w, func(octx) error { return nil })
		completes(w, "i", "ok")
		w.shows("i", "", 0)
	})
	scenario(t, "CST_007 a status is seen on a failed instance", func(w *world) {
		shown(w, func(ctx octx) error { ctx.SetStatus("before the end"); return errors.New("no") })
		w.failure("i")
		w.shows("i", "before the end", 1)
	})
	scenario(t, "CST_008 two turns raise a status's version twice", func(w *world) {
		shown(w, func(ctx octx) error {
			ctx.SetStatus("same")
			_, err := upper.Call(ctx, "x")
			ctx.SetStatus("same")
			return err
		})
		completes(w, "i", "ok")
		w.shows("i", "same", 2)
	})
}

// statusLimit is the default of limits.Limits.StatusBytes.
const statusLimit = 256 << 10

func TestCustomStatusLimits(t *testing.T) {
	sets := num(func(ctx octx, n int) error { ctx.SetStatus(strings.Repeat("s", n)); return nil })
	scenario(t, "CST_009 a status over the limit fails the instance", func(w *world) {
		w.open(sets)
		begin(w, sets, "i", statusLimit+1)
		if f := w.failure("i"); !strings.Contains(f.Error(), "custom status is 262145 bytes, the limit is 262144 bytes") {
			t.Errorf("failure %v", f)
		}
		w.shows("i", "", 0)
	})
	scenario(t, "CST_010 a status at the limit is accepted", func(w *world) {
		w.open(sets)
		begin(w, sets, "i", statusLimit)
		completes(w, "i", "ok")
		w.shows("i", strings.Repeat("s", statusLimit), 1)
	})
	scenario(t, "CST_015 statuses below, at and above the limit", func(w *world) {
		w.cfg.Limits.StatusBytes = 100
		w.open(sets)
		limited(w, sets, 100, "custom status")
	})
}

func TestCustomStatusLives(t *testing.T) {
	scenario(t, "CST_011 a status goes on through executions", func(w *world) {
		o := num(func(ctx octx, n int) error {
			switch n {
			case 1:
				ctx.SetStatus("step-A")
			case 2:
				if s, ok := ctx.Status(); !ok || s != "step-A" {
					return fmt.Errorf("execution 2 has the status %q, %t", s, ok)
				}
				if _, err := turnstone.WaitEvent[string](ctx, "go").Await(); err != nil {
					return err
				}
			case 3:
				ctx.SetStatus("step-B")
				return nil
			}
			return turnstone.ContinueAsNew(ctx, n+1)
		})
		w.open(o)
		begin(w, o, "i", 1)
		w.until("execution 2", func() bool { return w.describe("i").Execution == 2 })
		w.shows("i", "step-A", 1)
		w.restart()
		w.shows("i", "step-A", 1)
		w.raise("i", "go", "")
		completes(w, "i", "ok")
		w.shows("i", "step-B", 2)
	})
	scenario(t, "CST_012 a status is reset by a later execution", func(w *world) {
		o := num(func(ctx octx, n int) error {
			if n == 1 {
				ctx.SetStatus("step-A")
				return turnstone.ContinueAsNew(ctx, 2)
			}
			ctx.ResetStatus()
			return nil
		})
		w.open(o)
		begin(w, o, "i", 1)
		completes(w, "i", "ok")
		w.shows("i", "", 2)
	})
	scenario(t, "CST_013 an orchestration reads its own status, on replay too", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			look := func() string { s, ok := ctx.Status(); return fmt.Sprint(s, ok, " ") }
			seen := look()
			ctx.SetStatus("step-1")
			seen += look()
			if _, err := turnstone.WaitEvent[string](ctx, "go").Await(); err != nil {
				return "", err
			}
			seen += look() // behind a crash: it was replayed
			ctx.SetStatus("step-2")
			return seen + look(), nil
		})
		w.open(o)
		begin(w, o, "i", "")
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.restart()
		w.shows("i", "step-1", 1)
		w.raise("i", "go", "")
		seen := result[string](w, "i")
		if seen != "false step-1true step-1true step-2true " {
			t.Errorf("it saw %q", seen)
		}
		w.shows("i", "step-2", 2)
	})
}

// A status costs no commit of its own.
func TestCustomStatusCostsNoCommit(t *testing.T) {
	resident(t, "commits", func(w *world) {
		shown(w, func(ctx octx) error {
			for i := range 100 {
				ctx.SetStatus(fmt.Sprint(i))
			}
			_, err := upper.Call(ctx, "x")
			ctx.ResetStatus()
			return err
		})
		completes(w, "i", "ok")
		w.until("both turns are counted", func() bool { return w.node.Metrics().Commits >= 2 })
		if n := w.node.Metrics().Commits; n != 2 {
			t.Errorf("%d commits of turns, want 2", n)
		}
	})
}
