package e2e

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// The stages of one change: greeting in the old way, in both, and in the new way only. Each asks twice, around an event.
func greetOld(ctx octx, in string) (string, error) {
	first, err := upper.Call(ctx, in)
	if err != nil {
		return "", err
	}
	if err := turnstone.WaitEvent[string](ctx, "go").Err(); err != nil {
		return "", err
	}
	second, err := upper.Call(ctx, in)
	return "old " + first + second, err
}

func greetNew(ctx octx, in string) (string, error) {
	first, err := hello.Call(ctx, in)
	if err != nil {
		return "", err
	}
	if err := turnstone.WaitEvent[string](ctx, "go").Err(); err != nil {
		return "", err
	}
	return "new " + first, nil
}

var (
	stageBefore = text("Greeter", greetOld)
	stageBoth   = text("Greeter", func(ctx octx, in string) (string, error) {
		if ctx.Patched("hello") {
			return greetNew(ctx, in)
		}
		return greetOld(ctx, in)
	})
	stageAfter = text("Greeter", func(ctx octx, in string) (string, error) {
		ctx.DeprecatePatch("hello")
		return greetNew(ctx, in)
	})
)

func TestPatches(t *testing.T) {
	const oldWay, newWay = "old ADAADA", "new Hello, ada!"
	scenario(t, "a change that is deployed in stages, with a kill in between and a rollback", func(w *world) {
		w.cfg.Build = "1"
		w.open(upper, hello, stageBefore)
		begin(w, stageBefore, "before", "ada")
		w.untilHistory("before", 1, "ExternalSubscribed")

		w.deploy("2", upper, hello, stageBoth)
		begin(w, stageBoth, "both", "ada")
		begin(w, stageBoth, "rolled back", "ada")
		w.untilHistory("both", 1, "ExternalSubscribed")
		w.untilHistory("rolled back", 1, "ExternalSubscribed")
		w.restart()
		w.raise("before", "go", "")
		w.raise("both", "go", "")
		completes(w, "before", oldWay)
		completes(w, "both", newWay)

		w.deploy("3", upper, hello, stageAfter)
		begin(w, stageAfter, "after", "ada")
		w.untilHistory("after", 1, "ExternalSubscribed")
		w.raise("rolled back", "go", "")
		completes(w, "rolled back", newWay)

		w.deploy("2", upper, hello, stageBoth)
		w.raise("after", "go", "")
		completes(w, "after", newWay)
		for id, markers := range map[string]int{"before": 0, "both": 1, "rolled back": 1, "after": 1} {
			if n := w.history(id, 0).count("PatchMarked"); n != markers {
				t.Errorf("%s has %d markers, want %d", id, n, markers)
			}
		}
		if !w.history("after", 0).first(t, "PatchMarked").GetPatchMarked().GetDeprecated() {
			t.Error("the marker of the last stage does not say so")
		}
	})
	scenario(t, "an instance that has not come to the change takes the new way", func(w *world) {
		begins := func(then func(ctx octx, in string) (string, error)) *orch[string, string] {
			return text("Late", func(ctx octx, in string) (string, error) {
				if err := turnstone.WaitEvent[string](ctx, "begin").Err(); err != nil {
					return "", err
				}
				return then(ctx, in)
			})
		}
		w.cfg.Build = "1"
		w.open(upper, hello, begins(greetOld))
		begin(w, begins(greetOld), "i", "ada")
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.deploy("2", upper, hello, begins(func(ctx octx, in string) (string, error) {
			if ctx.Patched("hello") {
				return greetNew(ctx, in)
			}
			return greetOld(ctx, in)
		}))
		w.raise("i", "begin", "")
		w.untilHistory("i", 2, "ExternalSubscribed")
		w.restart()
		w.raise("i", "go", "")
		completes(w, "i", newWay)
	})
	scenario(t, "each execution decides for itself", func(w *world) {
		before := text("Rounds", func(ctx octx, in string) (string, error) {
			if err := turnstone.WaitEvent[string](ctx, "go").Err(); err != nil {
				return "", err
			}
			return "", turnstone.ContinueAsNew(ctx, in+"-")
		})
		after := text("Rounds", func(ctx octx, in string) (string, error) {
			patched := ctx.Patched("p")
			if err := turnstone.WaitEvent[string](ctx, "go").Err(); err != nil || patched {
				return fmt.Sprint(in, patched), err
			}
			return "", turnstone.ContinueAsNew(ctx, in+fmt.Sprint(patched)+"-")
		})
		w.cfg.Build = "1"
		w.open(before)
		begin(w, before, "i", "")
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.deploy("2", after)
		w.raise("i", "go", "")
		w.untilExecution("i", 2)
		w.raise("i", "go", "")
		completes(w, "i", "false-true")
	})
}

func TestSideEffects(t *testing.T) {
	scenario(t, "a value is computed once, whatever is lost after it was recorded", func(w *world) {
		var computed atomic.Int64
		o := text("Reads", func(ctx octx, _ string) (string, error) {
			out := ""
			for range 3 {
				n, err := turnstone.SideEffect(ctx, func() int64 { return computed.Add(1) })
				if err != nil {
					return "", err
				}
				if err := turnstone.WaitEvent[string](ctx, "go").Err(); err != nil {
					return "", err
				}
				out += fmt.Sprint(n, " ")
			}
			return out, nil
		})
		w.open(o)
		begin(w, o, "i", "")
		for round := 1; round <= 3; round++ {
			w.untilHistory("i", round, "ExternalSubscribed")
			w.restart()
			w.raise("i", "go", "")
		}
		completes(w, "i", "1 2 3 ")
		if n := computed.Load(); n != 3 {
			t.Errorf("computed %d times", n)
		}
	})
	scenario(t, "its function that uses the context holds the instance, and nothing is recorded", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			return turnstone.SideEffect(ctx, func() string { return ctx.NewGUID() })
		})
		fixed := text("O", func(ctx octx, _ string) (string, error) {
			return turnstone.SideEffect(ctx, func() string { return "fixed" })
		})
		w.cfg.Build = "1"
		w.open(o)
		begin(w, o, "i", "")
		w.until("it is held", func() bool { return w.describe("i").Held != nil })
		says(t, w.describe("i").Held.Reason, "the function of a side effect used the orchestration's context", "change_test.go:")
		w.deploy("2", fixed)
		completes(w, "i", "fixed")
	})
}

// TestChangeCostsNoTurn counts turns: those of an instance that uses patches and side effects are those of one that uses
// neither.
func TestChangeCostsNoTurn(t *testing.T) {
	scenario(t, "a turn each", func(w *world) {
		plain := text("Plain", func(ctx octx, in string) (string, error) { return upper.Call(ctx, in) })
		uses := text("Uses", func(ctx octx, in string) (string, error) {
			for i := range 10 {
				ctx.Patched(fmt.Sprint("p", i))
				ctx.SideEffect(func() []byte { return []byte("v") })
			}
			ctx.DeprecatePatch("q")
			return upper.Call(ctx, in)
		})
		w.open(upper, plain, uses)
		for _, o := range []*orch[string, string]{plain, uses} {
			begin(w, o, o.Name(), "x")
			completes(w, o.Name(), "X")
			if n := w.describe(o.Name()).Turn; n != 2 {
				t.Errorf("%s took %d turns", o.Name(), n)
			}
		}
		w.until("the commits are counted", func() bool { return w.node.Metrics().Commits >= 4 })
		if n := w.node.Metrics().Commits; n != 4 {
			t.Errorf("%d commits for 4 turns", n)
		}
	})
}

type (
	orderV1 struct{ Item string }
	orderV2 struct {
		Item string
		Gift bool
	}
)

// sells asks an activity, a child and a detached start with an input of one type, and waits in between.
func sells[T any](order T, options ...turnstone.OrchestrationOption) *orch[string, string] {
	return turnstone.NewOrchestration("Sells", func(ctx octx, _ string) (string, error) {
		packed, err := turnstone.ActivityRef[T, string]("Pack").Call(ctx, order)
		if err != nil {
			return "", err
		}
		sent, err := turnstone.OrchestrationRef[T, string]("Send").Call(ctx, order)
		if err != nil {
			return "", err
		}
		turnstone.OrchestrationRef[T, string]("Send").StartDetached(ctx, ctx.Instance()+"/copy", order)
		err = turnstone.WaitEvent[string](ctx, "go").Err()
		return packed + sent, err
	}, options...)
}

func TestInputsOnReplay(t *testing.T) {
	pack := turnstone.NewActivity("Pack", func(_ actx, o orderV2) (string, error) { return fmt.Sprint("packed ", o), nil })
	send := turnstone.NewOrchestration("Send", func(_ octx, o orderV2) (string, error) { return fmt.Sprint(" sent ", o), nil })
	v1, v2 := orderV1{"book"}, orderV2{"book", true}
	run := func(w *world, after *orch[string, string], ids ...string) {
		w.cfg.Build = "1"
		before := sells(v1)
		w.open(pack, send, before)
		for _, id := range ids {
			begin(w, before, id, "")
		}
		for _, id := range ids {
			w.untilHistory(id, 1, "ExternalSubscribed")
		}
		w.deploy("2", pack, send, after)
		for _, id := range ids {
			w.raise(id, "go", "")
		}
		w.verified = true
	}
	// then registers code that fits the histories: the oracle compares every byte.
	then := func(w *world, handlers ...turnstone.Handler) { w.deploy("1", append(handlers, pack, send)...) }
	const line = "the code gives another input than the history has; the recorded one stands"
	scenario(t, "an input that gained a field does not break what runs, and is logged once", func(w *world) {
		run(w, sells(v2), "a", "b", "c")
		for _, id := range []string{"a", "b", "c"} {
			completes(w, id, "packed {book false} sent {book false}")
		}
		if n := strings.Count(w.log.String(), line); n != 3 { // the activity, the child and the detached start
			t.Errorf("%d lines were logged", n)
		}
		says(t, w.log.String(), line, `orchestration_name=Sells`, "change_test.go:")
		then(w, sells(v1))
	})
	scenario(t, "with StrictInputs the instance is held, and nothing is lost", func(w *world) {
		run(w, sells(v2, turnstone.StrictInputs()), "a")
		w.until("it is held", func() bool { return w.describe("a").Held != nil })
		says(t, w.describe("a").Held.Reason, "event 2", "the inputs differ", `{\"Item\":\"book\"}`, `\"Gift\":true`)
		if strings.Contains(w.log.String(), line) {
			t.Error("it was also logged as lenient")
		}
		then(w, sells(v1, turnstone.StrictInputs()))
		completes(w, "a", "packed {book false} sent {book false}")
	})
	scenario(t, "with StrictInputs it fails for good if that is wanted", func(w *world) {
		w.cfg.FailOnNondeterminism = true
		run(w, sells(v2, turnstone.StrictInputs()), "a")
		if f := w.failure("a"); !errors.Is(f, turnstone.ErrNondeterminism) || !strings.Contains(f.Error(), "the inputs differ") {
			t.Errorf("failure %v", f)
		}
		w.register(pack, send) // the history is of two minds: there is nothing for the oracle
	})
}

var factorial = turnstone.NewOrchestration("Factorial", func(ctx octx, n int) (int, error) {
	if n <= 1 {
		return 1, nil
	}
	below, err := turnstone.OrchestrationRef[int, int]("Factorial").Call(ctx, n-1)
	return n * below, err
})

func TestReferences(t *testing.T) {
	scenario(t, "an orchestration that calls itself", func(w *world) {
		w.open(factorial)
		begin(w, turnstone.OrchestrationRef[int, int]("Factorial"), "f", 6)
		completes(w, "f", 720)
		if n := len(w.all()); n != 6 {
			t.Errorf("%d instances", n)
		}
	})
	scenario(t, "an activity and a child of another runtime", func(w *world) {
		o := text("Caller", func(ctx octx, in string) (string, error) {
			up, err := turnstone.ActivityRef[string, string]("Upper").Call(ctx, in)
			if err != nil {
				return "", err
			}
			return turnstone.OrchestrationRef[string, string]("Elsewhere", turnstone.WithVersion("2.0.0")).Call(ctx, up)
		})
		elsewhere := func(version string) turnstone.Handler {
			return turnstone.NewOrchestration("Elsewhere", func(_ octx, in string) (string, error) { return in + "@" + version, nil },
				turnstone.WithVersion(version))
		}
		w.open(o)
		other := turnstone.NewRegistry()
		if err := other.Register(upper, elsewhere("2.0.0"), elsewhere("3.0.0")); err != nil {
			t.Fatal(err)
		}
		if _, err := w.node.Attach(node.Runtime{ID: "other", Registry: other}); err != nil {
			t.Fatal(err)
		}
		begin(w, o, "i", "x")
		completes(w, "i", "X@2.0.0")
		if s, err := client.Start(w.ctx, w.c, "direct", turnstone.OrchestrationRef[string, string]("Elsewhere"), "y"); err != nil || s == nil {
			t.Fatal(err)
		}
		completes(w, "direct", "y@3.0.0")
	})
}
