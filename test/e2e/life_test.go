package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// later starts an instance with times of life.
func later[I, O any](w *world, o *turnstone.Orchestration[I, O], id string, input I, options ...client.StartOption) {
	w.t.Helper()
	if _, err := client.Start(w.ctx, w.c, id, o, input, options...); err != nil {
		w.t.Fatalf("start %s: %v", id, err)
	}
}

// pending checks that an instance waits for the time of its start.
func (w *world) pending(id string) {
	w.t.Helper()
	d := w.describe(id)
	if d.State != client.StatePending || !strings.HasPrefix(d.Why, "its first turn waits until ") {
		w.t.Errorf("%s is %s: %s", id, d.State, d.Why)
	}
}

// exists waits until the start of an instance has arrived.
func (w *world) exists(id string) {
	w.t.Helper()
	w.until(id+" exists", func() bool {
		s, err := w.c.Status(w.ctx, id)
		return err == nil && s.State != client.StateNotFound
	})
}

// timedOut waits for an instance that must end by its execution timeout.
func (w *world) timedOut(id, text string) {
	w.t.Helper()
	f := w.failure(id)
	if f.Kind != turnstone.KindTimedOut || !errors.Is(f, turnstone.ErrExecutionTimeout) || errors.Is(f, turnstone.ErrTimeout) || f.Error() != text {
		w.t.Fatalf("%s failed with %+v, want %q", id, f, text)
	}
}

func TestStartDelay(t *testing.T) {
	const delay = 300 * ms
	// says tells when its first turn ran, after the events that it was sent.
	says := turnstone.NewOrchestration("Says", func(ctx octx, n int) (int64, error) {
		for range n {
			if _, err := turnstone.WaitEvent[int](ctx, "go").Await(); err != nil {
				return 0, err
			}
		}
		return ctx.Now().UnixMilli(), nil
	})
	scenario(t, "a delayed start waits for its time, across a crash, and takes events", func(w *world) {
		w.open(says)
		before := time.Now()
		later(w, says, "i", 2, client.WithStartDelay(delay))
		w.pending("i")
		w.raise("i", "go", 1)
		w.restart()
		w.pending("i")
		w.raise("i", "go", 2)
		if at := result[int64](w, "i"); at < before.Add(delay).UnixMilli() {
			t.Errorf("it ran %v after its start", time.UnixMilli(at).Sub(before))
		}
		if m := w.node.Metrics(); m.Retold != 0 {
			t.Errorf("%d wake-ups were lost", m.Retold)
		}
	})
	scenario(t, "a cancel ends a delayed start at once, without its code", func(w *world) {
		w.open(says)
		later(w, says, "i", 0, client.WithStartDelay(time.Hour))
		later(w, says, "again", 0, client.WithStartDelay(time.Hour))
		w.raise("again", "go", 1)
		w.cancel("i", "no more")
		w.cancelled("i", "no more")
		w.restart()
		w.pending("again")
		if err := w.askFor("again", "any"); !errors.Is(err, turnstone.ErrRecovering) || !strings.Contains(err.Error(), "its first turn waits until ") {
			t.Errorf("a query of a delayed start: %v", err)
		}
		w.cancel("again", "later")
		w.cancelled("again", "later")
		if h := w.history("again", 1); h.count("ExternalSubscribed") != 0 {
			t.Errorf("its code ran: %v", h.kinds())
		}
		later(w, says, "ended", 0, client.WithStartDelay(time.Hour))
		if err := w.c.Terminate(w.ctx, "ended", "now"); err != nil {
			t.Fatal(err)
		}
		if f := w.failure("ended"); f.Kind != turnstone.KindTerminated {
			t.Errorf("terminated: %v", f)
		}
	})
	scenario(t, "children and detached orchestrations start later", func(w *world) {
		parent := turnstone.NewOrchestration("Parent", func(ctx octx, id string) (int64, error) {
			began := ctx.Now().UnixMilli()
			says.StartDetached(ctx, "detached of "+id, 0, turnstone.WithStartDelay(delay))
			at, err := says.Call(ctx, 0, turnstone.WithChildID(id), turnstone.WithStartDelay(delay))
			return at - began, err
		})
		w.open(says, parent)
		ids := []string{"c1", "c2", "c3"} // in different partitions
		before := time.Now()
		for _, id := range ids {
			begin(w, parent, "of "+id, id)
		}
		for _, id := range ids {
			if took := result[int64](w, "of "+id); took < delay.Milliseconds() {
				t.Errorf("the child %s ran %d ms after its start", id, took)
			}
			w.exists("detached of " + id)
			if at := result[int64](w, "detached of "+id); at < before.Add(delay).UnixMilli() {
				t.Errorf("what was detached ran %v after its start", time.UnixMilli(at).Sub(before))
			}
		}
	})
	scenario(t, "a parent that is cancelled cancels a child whose start is delayed", func(w *world) {
		parent := text("Parent", func(ctx octx, id string) (string, error) {
			_, err := says.Call(ctx, 0, turnstone.WithChildID(id), turnstone.WithStartDelay(time.Hour))
			return "", err
		})
		w.open(says, parent)
		for _, id := range []string{"c1", "c2", "c3", "c4"} { // in different partitions
			begin(w, parent, "of "+id, id)
			w.exists(id)
			w.pending(id)
			w.cancel("of "+id, "stop")
			w.cancelled("of "+id, "stop")
			w.cancelled(id, "parent canceled")
		}
	})
}

func TestExecutionTimeout(t *testing.T) {
	waits := text("Waits", func(ctx octx, in string) (string, error) {
		_, err := turnstone.WaitEvent[string](ctx, "never").Await()
		return "", err
	})
	scenario(t, "an execution that takes too long fails, and its children are cancelled", func(w *world) {
		parent := text("Parent", func(ctx octx, _ string) (string, error) {
			waits.Start(ctx, "", turnstone.WithChildID("waited"), turnstone.WithChildPolicy(turnstone.WaitForChild))
			return waits.Call(ctx, "", turnstone.WithChildID("child"))
		})
		w.open(parent, waits)
		later(w, parent, "i", "", client.WithExecutionTimeout(400*ms))
		w.untilHistory("i", 2, "SubOrchestrationScheduled")
		w.restart()
		w.timedOut("i", "execution timed out: it took longer than 400ms")
		w.cancelled("child", "parent ended")
		w.cancelled("waited", "parent ended")
	})
	scenario(t, "it bounds how long an end in the first turn waits for a child", func(w *world) {
		parent := text("Parent", func(ctx octx, _ string) (string, error) {
			waits.Start(ctx, "", turnstone.WithChildID("waited"), turnstone.WithChildPolicy(turnstone.WaitForChild))
			return "done", nil
		})
		w.open(parent, waits)
		later(w, parent, "i", "", client.WithExecutionTimeout(400*ms))
		w.untilHistory("i", 1, "SubOrchestrationScheduled")
		w.restart()
		completes(w, "i", "done")
		w.cancelled("waited", "parent ended")
	})
	scenario(t, "a child that takes too long fails, and its parent goes on", func(w *world) {
		parent := text("Parent", func(ctx octx, id string) (string, error) {
			_, err := waits.Call(ctx, "", turnstone.WithChildID(id), turnstone.WithExecutionTimeout(50*ms))
			var f *turnstone.Failure
			if !errors.Is(err, turnstone.ErrExecutionTimeout) || !errors.As(err, &f) || f.Kind != turnstone.KindTimedOut {
				return "", err
			}
			waits.StartDetached(ctx, "detached of "+id, "", turnstone.WithExecutionTimeout(30*ms))
			return "went on", nil
		})
		w.open(parent, waits)
		for _, id := range []string{"c1", "c2", "c3"} {
			begin(w, parent, "of "+id, id)
			completes(w, "of "+id, "went on")
			w.exists("detached of " + id)
			w.timedOut("detached of "+id, "execution timed out: it took longer than 30ms")
		}
	})
	scenario(t, "the time counts from the first turn, and begins anew with each execution", func(w *world) {
		loops := turnstone.NewOrchestration("Loops", func(ctx octx, n int) (string, error) {
			ctx.Sleep(60 * ms)
			if n == 6 {
				return "done", nil
			}
			return "", turnstone.ContinueAsNew(ctx, n+1)
		})
		w.open(loops, waits)
		later(w, loops, "i", 1, client.WithStartDelay(250*ms), client.WithExecutionTimeout(250*ms))
		completes(w, "i", "done")
	})
	resident(t, "times of life that are negative are refused", func(w *world) {
		bad := text("Bad", func(ctx octx, _ string) (string, error) {
			_, err := waits.Call(ctx, "", turnstone.WithStartDelay(-1))
			_, other := waits.Call(ctx, "", turnstone.WithExecutionTimeout(-1))
			if !errors.Is(err, turnstone.ErrInvalidInput) || !errors.Is(other, turnstone.ErrInvalidInput) {
				return "", errors.Join(errors.New("not refused"), err, other)
			}
			waits.StartDetached(ctx, "x", "", turnstone.WithStartDelay(-time.Second))
			return "", nil
		})
		w.open(bad, waits)
		for _, o := range []client.StartOption{client.WithStartDelay(-1), client.WithExecutionTimeout(-time.Hour)} {
			if _, err := client.Start(w.ctx, w.c, "i", waits, "", o); !errors.Is(err, turnstone.ErrInvalidInput) {
				t.Errorf("refused with %v", err)
			}
		}
		begin(w, bad, "i", "")
		if f := w.failure("i"); f.Kind != turnstone.KindPanicked || !strings.Contains(f.Error(), "the start delay is -1s; it must not be negative") {
			t.Errorf("it failed with %v", f)
		}
	})
}
