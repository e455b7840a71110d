package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/turnstone-dev/turnstone"
)

// self is what code sees of its own execution.
func self(ctx octx, in string) string {
	return fmt.Sprintf("%s %s@%s/%d(%s)", ctx.Instance(), ctx.Name(), ctx.Version(), ctx.Execution(), in)
}

// witness notes with which inputs the code of each version ran, in each of its runs.
type witness struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (v *witness) note(ctx octx, in string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seen == nil {
		v.seen = map[string]bool{}
	}
	v.seen[ctx.Version()+":"+in] = true
}

func (v *witness) saw(text string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seen[text]
}

// upgrades are two versions of an orchestration: the first continues as the second, which waits for an event and gives what it
// sees of itself. Both note their inputs.
func upgrades(v *witness) (first, second *orch[string, string]) {
	first = turnstone.NewOrchestration("Up", func(ctx octx, in string) (string, error) {
		v.note(ctx, in)
		if _, err := upper.Call(ctx, in); err != nil {
			return "", err
		}
		return "", turnstone.ContinueAsNew(ctx, "state of v1", turnstone.WithVersion("2.0.0"))
	}, turnstone.WithVersion("1.0.0"))
	second = turnstone.NewOrchestration("Up", func(ctx octx, in string) (string, error) {
		v.note(ctx, in)
		before := self(ctx, in)
		if _, err := turnstone.WaitEvent[string](ctx, "go").Await(); err != nil {
			return "", err
		}
		v.note(ctx, in)
		if after := self(ctx, in); after != before {
			return "", fmt.Errorf("%s became %s", before, after)
		}
		return before, nil
	}, turnstone.WithVersion("2.0.0"))
	return first, second
}

// TestIdentityFromHistory: what an execution is, a later turn knows from its own history, in memory or not.
func TestIdentityFromHistory(t *testing.T) {
	// upgraded runs the two versions, with a restart while the second waits.
	upgraded := func(w *world, v *witness) {
		first, second := upgrades(v)
		w.open(upper, first, second)
		begin(w, first, "i", "original")
		w.untilExecution("i", 2)
		w.restart()
		w.raise("i", "go", "")
		completes(w, "i", "i Up@2.0.0/2(state of v1)")
	}
	scenario(t, "SC_017 a turn of completions reads its identity from history", func(w *world) {
		hold := newGate()
		held := turnstone.NewActivity("Held", func(ctx actx, s string) (string, error) { return s, hold.wait(ctx) })
		o := turnstone.NewOrchestration("O", func(ctx octx, in string) (string, error) {
			_, err := held.Call(ctx, "")
			return self(ctx, in), err
		}, turnstone.WithVersion("1.4.2"))
		w.open(held, o, turnstone.NewOrchestration("O", func(octx, string) (string, error) { return "not this", nil }, turnstone.WithVersion("1.5.0")))
		begin(w, o, "i", "input")
		w.untilHistory("i", 1, "ActivityScheduled")
		w.restart()
		hold.open()
		completes(w, "i", "i O@1.4.2/1(input)")
		if d := w.describe("i"); d.Name != "O" || d.Version != "1.4.2" || d.Parent != nil {
			t.Errorf("described as %+v", d)
		}
	})
	scenario(t, "SC_018 a second execution has its own version, input and parent", func(w *world) {
		v := &witness{}
		first, second := upgrades(v)
		parent := text("Parent", func(ctx octx, in string) (string, error) {
			return first.Call(ctx, in, turnstone.WithChildID("child"))
		})
		w.open(upper, first, second, parent)
		begin(w, parent, "p", "original")
		w.until("the child goes on", func() bool {
			d, err := w.c.Describe(w.ctx, "child")
			return err == nil && d.Execution == 2 && d.Turn > 0
		})
		w.restart()
		w.raise("child", "go", "")
		completes(w, "p", "child Up@2.0.0/2(state of v1)")
		for n := uint64(1); n <= 2; n++ {
			if p := w.history("child", n)[0].GetStarted().GetParent(); p.GetInstance() != "p" || p.GetExecution() != 1 || p.GetEvent() != 2 {
				t.Errorf("execution %d has the parent %v", n, p)
			}
		}
	})
	scenario(t, "SC_019 a child reads every field from history", func(w *world) {
		child := turnstone.NewOrchestration("Child", func(ctx octx, in string) (string, error) {
			_, err := turnstone.WaitEvent[string](ctx, "go").Await()
			return self(ctx, in), err
		}, turnstone.WithVersion("3.1.0"))
		parent := text("Parent", func(ctx octx, in string) (string, error) { return child.Call(ctx, "for the child") })
		w.open(child, parent)
		begin(w, parent, "p", "")
		w.untilRunning("p::sub::2")
		w.restart()
		w.raise("p::sub::2", "go", "")
		completes(w, "p", "p::sub::2 Child@3.1.0/1(for the child)")
		if d := w.describe("p::sub::2"); d.Parent == nil || d.Parent.Instance != "p" || d.Execution != 1 || d.Version != "3.1.0" {
			t.Errorf("described as %+v", d)
		}
	})
	scenario(t, "SC_020 the input that is read is the one that code gets", func(w *world) {
		v := &witness{}
		upgraded(w, v)
		for n, version := range []string{"1.0.0", "2.0.0"} {
			var in string
			if err := turnstone.JSON.Decode(w.history("i", uint64(n+1))[0].GetStarted().GetInput(), &in); err != nil || !v.saw(version+":"+in) {
				t.Errorf("execution %d has the input %q, %v, and code saw %v", n+1, in, err, v.seen)
			}
		}
	})
	scenario(t, "SC_021 each execution's history begins with its own start", func(w *world) {
		upgraded(w, &witness{})
		for n, want := range []string{"Up@1.0.0: \"original\"", "Up@2.0.0: \"state of v1\""} {
			s := w.history("i", uint64(n+1))[0].GetStarted()
			if got := fmt.Sprintf("%s@%s: %s", s.GetName(), s.GetVersion(), s.GetInput()); got != want {
				t.Errorf("execution %d begins with %s, want %s", n+1, got, want)
			}
		}
	})
	scenario(t, "SC_022 a second version never sees the first one's input", func(w *world) {
		v := &witness{}
		upgraded(w, v)
		if v.saw("2.0.0:original") || v.saw("1.0.0:state of v1") || len(v.seen) != 2 {
			t.Errorf("code saw %v", v.seen)
		}
	})
	scenario(t, "SC_023 a second execution has the input it was continued with", func(w *world) {
		v := &witness{}
		upgraded(w, v)
		if !v.saw("2.0.0:state of v1") {
			t.Errorf("code saw %v", v.seen)
		}
		if h := w.history("i", 1); string(h[len(h)-1].GetContinuedAsNew().GetInput()) != `"state of v1"` {
			t.Errorf("execution 1 ends with %v", h[len(h)-1])
		}
	})
}

// TestUpgradeOfEvents: the next execution waits in another way than the one before.
func TestUpgradeOfEvents(t *testing.T) {
	scenario(t, "SC_001 a second version with other events takes over at continue-as-new", func(w *world) {
		v1 := turnstone.NewOrchestration("Collect", func(ctx octx, _ string) (string, error) {
			var all []string
			for range 3 {
				s, err := turnstone.WaitEvent[string](ctx, "item").Await()
				if err != nil {
					return "", err
				}
				all = append(all, s)
			}
			return "", turnstone.ContinueAsNew(ctx, strings.Join(all, ","), turnstone.WithVersion("2.0.0"))
		}, turnstone.WithVersion("1.0.0"))
		v2 := turnstone.NewOrchestration("Collect", func(ctx octx, had string) (string, error) {
			return had + "," + next(ctx, "topic") + "," + next(ctx, "topic"), nil
		}, turnstone.WithVersion("2.0.0"))
		w.open(v1, v2)
		begin(w, v1, "i", "")
		for _, s := range []string{"a", "b", "c"} {
			w.raise("i", "item", s)
		}
		w.untilExecution("i", 2)
		w.enqueue("i", "topic", "d")
		w.enqueue("i", "topic", "e")
		completes(w, "i", "a,b,c,d,e")
		for n, c := range []struct{ has, lacks string }{{"ExternalEvent", "QueueEventDelivered"}, {"QueueEventDelivered", "ExternalEvent"}} {
			if h := w.history("i", uint64(n+1)); h.count(c.has) != 3-n || h.count(c.lacks) != 0 {
				t.Errorf("execution %d has %v", n+1, h.kinds())
			}
		}
	})
}
