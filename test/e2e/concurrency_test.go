package e2e

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// increment adds one, as a text of its own.
func increment(name string) *turnstone.Activity[int, int] {
	return turnstone.NewActivity(name, func(_ actx, n int) (int, error) { return n + 1, nil })
}

// mixed joins an activity, an event and a timer.
func mixed(name string, a *turnstone.Activity[int, int], guidFirst bool) *orch[int, string] {
	return turnstone.NewOrchestration(name, func(ctx octx, n int) (string, error) {
		if guidFirst && len(ctx.NewGUID()) != 36 {
			return "", errors.New("not a GUID")
		}
		work, timer, event := a.Start(ctx, n), ctx.Timer(20*ms), turnstone.WaitEvent[string](ctx, "E")
		if err := turnstone.All(ctx, work, timer, event); err != nil {
			return "", err
		}
		v, err := work.Await()
		if err != nil {
			return "", err
		}
		e, err := event.Await()
		return fmt.Sprintf("%s:a=%d;evt=%s", name, v, e), err
	})
}

func (w *world) checkMixed(id string, source uint64) {
	w.t.Helper()
	h := w.history(id, 0)
	if got := h.first(w.t, "ActivityCompleted").GetSource(); got != source && source != 0 {
		// A system activity completes first; look for the one that answers the scheduled one.
		found := false
		for _, e := range h {
			found = found || e.GetActivityCompleted() != nil && e.GetSource() == source
		}
		if !found {
			w.t.Errorf("%s: no completion with the source %d", id, source)
		}
	}
	if h.count("TimerFired") != 1 {
		w.t.Errorf("%s: %v", id, h.kinds())
	}
}

func TestConcurrentInstances(t *testing.T) {
	scenario(t, "CON_001 two orchestrations with activity, event and timer keep to their own", func(w *world) {
		a1, a2 := increment("A1"), increment("A2")
		o1, o2 := mixed("o1", a1, false), mixed("o2", a2, false)
		w.open(a1, a2, o1, o2)
		begin(w, o1, "x", 10)
		begin(w, o2, "y", 20)
		w.raise("x", "E", "P1")
		w.raise("y", "E", "P2")
		completes(w, "x", "o1:a=11;evt=P1")
		completes(w, "y", "o2:a=21;evt=P2")
		w.checkMixed("x", 2)
		w.checkMixed("y", 2)
	})
	scenario(t, "CON_002 two orchestrations that share an activity keep to their own results", func(w *world) {
		a := increment("A")
		o1, o2 := mixed("o1", a, false), mixed("o2", a, true)
		w.open(a, o1, o2)
		begin(w, o1, "x", 10)
		begin(w, o2, "y", 20)
		w.raise("x", "E", "P1")
		w.raise("y", "E", "P2")
		completes(w, "x", "o1:a=11;evt=P1")
		completes(w, "y", "o2:a=21;evt=P2")
		w.checkMixed("x", 2)
		w.checkMixed("y", 4)
	})
	scenario(t, "CON_003 an activity, an event and a timer are joined", func(w *world) {
		a := increment("A")
		o := mixed("o1", a, false)
		w.open(a, o)
		begin(w, o, "x", 10)
		w.raise("x", "E", "P1")
		completes(w, "x", "o1:a=11;evt=P1")
	})
	scenario(t, "CON_004 one activity gives its result", func(w *world) {
		a := increment("A")
		o := turnstone.NewOrchestration("O", func(ctx octx, n int) (string, error) {
			v, err := a.Call(ctx, n)
			return fmt.Sprintf("a=%d", v), err
		})
		w.open(a, o)
		begin(w, o, "x", 2)
		completes(w, "x", "a=3")
	})
	scenario(t, "CON_005 two starts of one id at once make one run", func(w *world) {
		o := text("O", func(ctx octx, in string) (string, error) { return upper.Call(ctx, in) })
		w.open(upper, o)
		outcomes := make(chan error, 2)
		for _, in := range []string{"first", "second"} {
			go func() {
				_, err := client.Start(w.ctx, w.c, "same", o, in)
				outcomes <- err
			}()
		}
		a, b := <-outcomes, <-outcomes
		if (a == nil) == (b == nil) || !errors.Is(errors.Join(a, b), turnstone.ErrAlreadyExists) {
			t.Fatalf("the two starts: %v, %v", a, b)
		}
		if got := result[string](w, "same"); got != "FIRST" && got != "SECOND" {
			t.Errorf("result %q", got)
		}
		if h := w.history("same", 0); h.count("OrchestrationStarted") != 1 || h.count("OrchestrationCompleted") != 1 {
			t.Errorf("history %v", h.kinds())
		}
	})
}

func TestDescriptions(t *testing.T) {
	scenario(t, "CON_006 a root has no parent and a child names its own", func(w *world) {
		child := text("Child", func(ctx octx, in string) (string, error) { return upper.Call(ctx, in) })
		o := text("Parent", func(ctx octx, in string) (string, error) { return child.Call(ctx, in) })
		w.open(upper, child, o)
		begin(w, o, "p", "x")
		completes(w, "p", "X")
		root, err := w.c.Describe(w.ctx, "p")
		if err != nil || root.Parent != nil || root.Name != "Parent" || root.State != client.StateCompleted || string(root.Output) != `"X"` {
			t.Errorf("root %+v, %v", root, err)
		}
		sub, err := w.c.Describe(w.ctx, "p::sub::2")
		if err != nil || sub.Parent == nil || *sub.Parent != (client.Parent{Instance: "p", Execution: 1, Event: 2}) {
			t.Errorf("child %+v, %v", sub, err)
		}
		if p := w.history("p::sub::2", 0)[0].GetStarted().GetParent(); p.GetInstance() != "p" || p.GetEvent() != 2 {
			t.Errorf("the child's started event names %v", p)
		}
	})
	scenario(t, "CON_007 a status is not found, running, completed or failed", func(w *world) {
		o := text("O", func(ctx octx, in string) (string, error) {
			v, err := turnstone.WaitEvent[string](ctx, "go").Await()
			if v == "fail" {
				return "", errors.New("boom")
			}
			return v, err
		})
		w.open(o)
		state := func(id string) client.Status {
			s, err := w.c.Status(w.ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		if s := state("good"); s.State != client.StateNotFound {
			t.Errorf("before the start: %+v", s)
		}
		begin(w, o, "good", "")
		begin(w, o, "bad", "")
		if s := state("good"); s.State != client.StateRunning || s.Output != nil || s.Failure != nil {
			t.Errorf("running: %+v", s)
		}
		w.raise("good", "go", "ok")
		w.raise("bad", "go", "fail")
		w.end("good")
		w.end("bad")
		if s := state("good"); s.State != client.StateCompleted || string(s.Output) != `"ok"` {
			t.Errorf("completed: %+v", s)
		}
		if s := state("bad"); s.State != client.StateFailed || s.Failure.Error() != "boom" || s.Failure.Kind != turnstone.KindOrchestrationFailed {
			t.Errorf("failed: %+v", s)
		}
		if _, err := w.c.Describe(w.ctx, "nobody"); !errors.Is(err, turnstone.ErrInstanceNotFound) {
			t.Errorf("describe of nobody: %v", err)
		}
	})
	scenario(t, "CON_010 the context knows its instance, execution, name and version", func(w *world) {
		o := turnstone.NewOrchestration("Named", func(ctx octx, _ string) (string, error) {
			return fmt.Sprint(ctx.Instance(), ctx.Execution(), ctx.Name(), ctx.Version()), nil
		}, turnstone.WithVersion("2.1.0"))
		w.open(o)
		begin(w, o, "me", "")
		completes(w, "me", fmt.Sprint("me", 1, "Named", "2.1.0"))
	})
}

// Old executions stay as they were, and reading gives the latest: CON-008 after a restart, CON-009 without one.
func TestMultiExecutionPersistence(t *testing.T) {
	for _, id := range []string{"CON_008 old executions stay as they were after a restart", "CON_009 old executions stay as they were without a restart"} {
		scenario(t, id, func(w *world) {
			hold := newGate()
			held := turnstone.NewActivity("Held", func(ctx actx, s string) (string, error) { return s, hold.wait(ctx) })
			o := turnstone.NewOrchestration("O", func(ctx octx, n int) (string, error) {
				if n == 0 {
					if _, err := upper.Call(ctx, "x"); err != nil {
						return "", err
					}
					return "", turnstone.ContinueAsNew(ctx, 1)
				}
				return held.Call(ctx, "second")
			})
			w.open(upper, held, o)
			begin(w, o, "i", 0)
			w.until("execution 2 has begun", func() bool {
				d, err := w.c.Describe(w.ctx, "i")
				return err == nil && d.Execution == 2 && d.Turn > 0
			})
			before := w.history("i", 1)
			if id == "CON_008 old executions stay as they were after a restart" {
				w.restart()
			}
			hold.open()
			completes(w, "i", "second")
			w.executions("i", 2)
			after := w.history("i", 1)
			if len(before) == 0 || len(before) != len(after) {
				t.Fatalf("history of execution 1 before %v, after %v", before.kinds(), after.kinds())
			}
			for i := range before {
				if !proto.Equal(before[i], after[i]) {
					t.Errorf("event %d was %v and is %v", i+1, before[i], after[i])
				}
			}
			if latest := w.history("i", 0); string(latest[0].GetStarted().GetInput()) != "1" {
				t.Errorf("the latest history begins with %v", latest[0])
			}
		})
	}
}

// Many instances at once, over all partitions: each gets its own answer, and each is listed once.
func TestManyInstances(t *testing.T) {
	scenario(t, "many", func(w *world) {
		child := text("Child", func(ctx octx, in string) (string, error) { return upper.Call(ctx, in) })
		o := text("O", func(ctx octx, in string) (string, error) {
			a, b := upper.Start(ctx, in), child.Start(ctx, in, turnstone.WithChildID("child-"+in))
			ctx.Sleep(ms)
			all, err := turnstone.Results(ctx, a, b)
			return strings.Join(all, ""), err
		})
		w.open(upper, child, o)
		const n = 100
		var group sync.WaitGroup
		for i := range n {
			group.Add(1)
			go func() {
				defer group.Done()
				id := fmt.Sprintf("i%d", i)
				run, err := client.Start(w.ctx, w.c, id, o, id)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := run.Wait(w.ctx); err != nil || got != strings.ToUpper(id+id) {
					t.Errorf("%s gave %q, %v", id, got, err)
				}
			}()
		}
		group.Wait()
		seen := map[string]bool{}
		last := time.Now().Add(time.Hour)
		for _, d := range w.all() {
			if seen[d.ID] || d.Updated.After(last) {
				t.Errorf("%s is listed twice or out of order", d.ID)
			}
			seen[d.ID], last = true, d.Updated
		}
		if len(seen) != 2*n {
			t.Errorf("%d instances are listed, want %d", len(seen), 2*n)
		}
	})
}
