package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// deploy closes the node and opens it with other code, which has another build.
func (w *world) deploy(build string, handlers ...turnstone.Handler) {
	w.t.Helper()
	if err := w.node.Shutdown(w.ctx); err != nil {
		w.t.Fatalf("shutdown: %v", err)
	}
	w.node, w.reopened = nil, true
	w.cfg.Build = build
	w.open(handlers...)
}

func (w *world) describe(id string) client.Description {
	w.t.Helper()
	d, err := w.c.Describe(w.ctx, id)
	if err != nil {
		w.t.Fatalf("describe %s: %v", id, err)
	}
	return d
}

func (w *world) counts() client.Counts {
	w.t.Helper()
	n, err := w.c.Counts(w.ctx)
	if err != nil {
		w.t.Fatalf("counts: %v", err)
	}
	return n
}

// untilHeld waits until an instance is held, and says how.
func (w *world) untilHeld(id string) client.Description {
	w.t.Helper()
	var d client.Description
	w.until(id+" is held", func() bool {
		d = w.describe(id)
		return d.Held != nil
	})
	return d
}

// says fails unless a text has all parts.
func says(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
}

// sleeper is code that waits for a timer between two activities, and the same with an activity more.
func sleeper(d time.Duration) (before, after *orch[string, string]) {
	before = text("Sleeper", func(ctx octx, in string) (string, error) {
		first, err := upper.Call(ctx, in)
		if err != nil {
			return "", err
		}
		ctx.Sleep(d)
		return upper.Call(ctx, first+"-")
	})
	after = text("Sleeper", func(ctx octx, in string) (string, error) {
		first, err := upper.Call(ctx, in)
		if err != nil {
			return "", err
		}
		if _, err := upper.Call(ctx, "new"); err != nil {
			return "", err
		}
		ctx.Sleep(d)
		return upper.Call(ctx, first+"-")
	})
	return before, after
}

func TestF50_a_deploy_that_does_not_fit_holds_the_instances_and_a_rollback_completes_them(t *testing.T) {
	resident(t, "timers fire", func(w *world) {
		n := fullOrShort(2000, 200)
		before, after := sleeper(time.Duration(fullOrShort(5000, 1500)) * ms)
		w.cfg.Build, w.cfg.Drain = "1", 10*time.Second
		w.open(upper, before)
		for i := range n {
			if _, err := w.c.Start(w.ctx, fmt.Sprint("i", i), "Sleeper", []byte(`"x"`)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range n { // the commits do not tell: the first may wake before the last sleeps
			id := fmt.Sprint("i", i)
			w.until(id+" sleeps", func() bool {
				d, err := w.c.Describe(w.ctx, id)
				return err == nil && d.Turn >= 2
			})
		}
		w.deploy("2", upper, after)
		var held client.Counts
		w.until("all are held that have not completed", func() bool {
			held = w.counts()
			return held.Held == n-held.Completed
		})
		if held.Failed != 0 || held.Held == 0 || held.Running != held.Held {
			t.Errorf("counts %+v", held)
		}
		w.until("the metrics count them", func() bool { return w.node.Metrics().Held == uint64(held.Held) })
		page, err := w.c.List(w.ctx, client.ListRequest{Held: true, Max: 10})
		if err != nil || len(page.Instances) != min(10, held.Held) {
			t.Fatalf("%d are listed, %v", len(page.Instances), err)
		}
		d := page.Instances[0]
		if d.State != client.StateRunning || d.Held.Build != "2" || d.Held.Since.IsZero() || d.Held.Attempts == 0 {
			t.Errorf("%s: %s, %+v", d.ID, d.State, d.Held)
		}
		says(t, d.Held.Reason, "nondeterministic: ", "event ", "history has TimerCreated", `the code asked for activity "Upper"`)
		if sites := strings.Count(d.Held.Reason, "held_test.go:"); sites != 2 {
			t.Errorf("%q names %d call sites", d.Held.Reason, sites)
		}
		if logged := strings.Count(w.log.String(), "an instance is held"); logged != held.Held {
			t.Errorf("%d lines were logged of %d held instances", logged, held.Held)
		}
		w.deploy("1", upper, before) // a rollback
		w.until("all complete", func() bool { return w.counts().Completed == n })
		if c := w.counts(); c != (client.Counts{Completed: n}) {
			t.Errorf("counts %+v", c)
		}
		completes(w, d.ID, "X-")
	})
}

// asker waits for an event after one activity; the code that is deployed after it asks for another activity first.
func asker() (before, after, fixed *orch[string, string]) {
	ask := func(extra bool) *orch[string, string] {
		return text("Asker", func(ctx octx, in string) (string, error) {
			if extra {
				if _, err := upper.Call(ctx, "new"); err != nil {
					return "", err
				}
			}
			got, err := turnstone.WaitEvent[string](ctx, "go").Await()
			if err != nil {
				return "", err
			}
			return upper.Call(ctx, in+got)
		})
	}
	fixed = text("Asker", func(ctx octx, in string) (string, error) {
		got, err := turnstone.WaitEvent[string](ctx, "go").Await()
		return "fixed:" + in + got, err
	})
	return ask(false), ask(true), fixed
}

func TestF50_a_held_instance_keeps_its_events_and_an_operator_can_end_or_release_it(t *testing.T) {
	scenario(t, "an operator", func(w *world) {
		before, after, fixed := asker()
		parent := text("Parent", func(ctx octx, in string) (string, error) {
			out, err := ctx.CallChild("Asker", []byte(`"c"`), turnstone.WithChildID("child"))
			return string(out), err
		})
		w.cfg.Build = "1"
		w.open(upper, before, parent)
		for _, id := range []string{"cancelled", "terminated", "released", "waits"} {
			if _, err := w.c.Start(w.ctx, id, "Asker", []byte(`"x"`)); err != nil {
				t.Fatal(err)
			}
			w.untilHistory(id, 1, "ExternalSubscribed")
		}
		begin(w, parent, "parent", "")
		w.untilHistory("child", 1, "ExternalSubscribed")
		w.deploy("2", upper, after, parent)
		for _, id := range []string{"cancelled", "terminated", "released", "waits", "child"} {
			w.raise(id, "go", "y")
			says(t, w.untilHeld(id).Why, "held since ", "Deploy code that fits", `history has ExternalSubscribed "go"`)
		}
		w.operate()
		w.deploy("3", upper, fixed, parent)
		completes(w, "waits", "fixed:xy")
		completes(w, "released", "fixed:xy")
		if n := w.counts(); n != (client.Counts{Completed: 2, Failed: 4}) {
			t.Errorf("counts %+v", n)
		}
		w.register(parent) // the histories of the others are of code that is gone
		w.verified = true
	})
}

// operate does with held instances what an operator can do.
func (w *world) operate() {
	w.t.Helper()
	short, cancel := context.WithTimeout(w.ctx, 20*ms)
	defer cancel()
	if _, err := w.c.Wait(short, "waits"); !errors.Is(err, turnstone.ErrTimeout) {
		w.t.Errorf("a wait for one that is held: %v", err)
	}
	w.cancel("cancelled", "a wrong deploy")
	w.cancelled("cancelled", "a wrong deploy")
	for _, id := range []string{"terminated", "child"} {
		if err := w.c.Terminate(w.ctx, id, "a wrong deploy"); err != nil {
			w.t.Fatal(err)
		}
		if f := w.failure(id); !errors.Is(f, turnstone.ErrTerminated) || f.Reason != "a wrong deploy" {
			w.t.Errorf("%s: %+v", id, f)
		}
	}
	if f := w.failure("parent"); !strings.Contains(f.Error(), "terminated: a wrong deploy") {
		w.t.Errorf("the parent of one that was terminated: %v", f)
	}
	tried := w.node.Metrics().HeldTurns
	if err := w.c.Release(w.ctx, "released"); err != nil {
		w.t.Fatal(err)
	}
	w.until("it was tried again", func() bool { return w.node.Metrics().HeldTurns > tried })
	if d := w.untilHeld("released"); d.State != client.StateRunning {
		w.t.Errorf("after its release: %+v", d)
	}
	if m := w.node.Metrics(); m.Terminated != 2 {
		w.t.Errorf("%d are counted as terminated", m.Terminated)
	}
}

func TestF50_an_instance_fails_for_good_if_its_registry_says_so(t *testing.T) {
	scenario(t, "registration", func(w *world) {
		before, after, _ := asker()
		w.cfg.Build = "1"
		w.open(upper, before)
		if _, err := w.c.Start(w.ctx, "i", "Asker", []byte(`"x"`)); err != nil {
			t.Fatal(err)
		}
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.crash()
		w.registry = turnstone.NewRegistry(turnstone.FailOnNondeterminism(), turnstone.WithLogger(w.cfg.Logger))
		if err := w.registry.Register(upper, after); err != nil {
			t.Fatal(err)
		}
		w.cfg.Registry, w.cfg.Build = w.registry, "2"
		w.start()
		w.raise("i", "go", "y")
		if f := w.failure("i"); !errors.Is(f, turnstone.ErrNondeterminism) {
			t.Errorf("failure %v", f)
		}
		w.register(upper) // the history is of two minds
		w.verified = true
	})
}

func TestF51_a_version_that_is_not_registered_is_named_and_is_poison_in_the_end(t *testing.T) {
	versions := func(v string) turnstone.Handler {
		return turnstone.NewOrchestration("O", func(ctx octx, in string) (string, error) {
			got, err := turnstone.WaitEvent[string](ctx, "go").Await()
			return v + ":" + in + got, err
		}, turnstone.WithVersion(v))
	}
	scenario(t, "only the new one is registered", func(w *world) {
		w.cfg.MaxAttempts, w.cfg.BackoffBase, w.cfg.BackoffMax = 4, 50*ms, 50*ms
		w.open(versions("1.0.0"))
		for _, id := range []string{"back", "poison"} {
			if _, err := w.c.Start(w.ctx, id, "O", []byte(`"x"`)); err != nil {
				t.Fatal(err)
			}
			w.untilHistory(id, 1, "ExternalSubscribed")
		}
		w.deploy("2", versions("1.1.0"))
		const missing = "orchestration O 1.0.0 is not registered"
		says(t, w.describe("back").Why, missing) // nothing has been tried: the node knows what it runs
		w.raise("poison", "go", "y")
		says(t, w.untilHeld("poison").Why, missing)
		says(t, w.log.String(), missing)
		if f := w.failure("poison"); !errors.Is(f, turnstone.ErrPoisoned) || f.AttemptsMax != 4 ||
			f.Error() != "poison: orchestration poison exceeded 5 attempts (max 4)" {
			t.Errorf("failure %+v", f)
		}
		says(t, w.describe("poison").Why, "it was given up as poison: at the last attempt its code did not run, because "+missing)
		w.until("the end is logged", func() bool { // after its commit
			return strings.Contains(w.log.String(), "an instance has been ended without its code")
		})
		says(t, w.log.String(), ` reason="`+missing+`"`)
		w.deploy("3", versions("1.0.0"), versions("1.1.0"))
		w.raise("back", "go", "y")
		completes(w, "back", "1.0.0:xy")
	})
}

func TestF51_an_activity_that_is_given_up_without_a_handler_names_it(t *testing.T) {
	resident(t, "the reason", func(w *world) {
		absent := turnstone.ActivityRef[string, string]("Absent")
		o := text("O", func(ctx octx, in string) (string, error) { return absent.Call(ctx, in) })
		w.cfg.MaxAttempts, w.cfg.BackoffBase, w.cfg.BackoffMax = 2, 50*ms, 50*ms
		w.open(o)
		begin(w, o, "i", "x")
		const missing = "activity Absent is not registered"
		if f := w.failure("i"); f.Error() != "poison: activity Absent#2 exceeded 3 attempts (max 2)" || !strings.Contains(f.Message, missing) {
			t.Errorf("failure %+v", f)
		}
		says(t, w.describe("i").Why, "because "+missing)
		says(t, w.log.String(), "an activity is given up and recorded as poison")
		says(t, w.log.String(), `reason="`+missing+`"`)
	})
}

func TestF31_misuse_and_code_that_blocks_say_so_at_once_with_the_place(t *testing.T) {
	scenario(t, "the reason", func(w *world) {
		gate := newGate()
		misuse := text("Misuse", func(ctx octx, _ string) (string, error) {
			return turnstone.Go(ctx, func(*turnstone.Context) (string, error) {
				ctx.Sleep(time.Hour) // the outer context, inside
				return "", nil
			}).Await()
		})
		blocks := text("Blocks", func(octx, string) (string, error) {
			<-gate.opened
			return "", nil
		})
		w.cfg.WatchdogWarn, w.cfg.WatchdogAbandon = 10*ms, 50*ms
		w.open(misuse, blocks)
		defer gate.open()
		begin(w, misuse, "misuse", "")
		begin(w, blocks, "blocks", "")
		says(t, w.untilHeld("misuse").Why, "held_test.go:")
		says(t, w.untilHeld("blocks").Why, "the code of orchestration Blocks 1.0.0 blocks on something that is not a future")
		for _, id := range []string{"misuse", "blocks"} {
			if err := w.c.Terminate(w.ctx, id, "never right"); err != nil {
				t.Error(err)
			}
		}
		w.register()
		w.verified = true
	})
}

func TestF52_an_instance_without_a_handler_is_cancelled_or_terminated_at_once(t *testing.T) {
	resident(t, "an unknown name, and a node that runs nothing", func(w *world) {
		for _, known := range []bool{true, false} {
			if known {
				w.open(upper)
			} else {
				w.registry, w.cfg.Registry = turnstone.NewRegistry(), nil
				w.start()
			}
			for _, id := range []string{"cancel", "terminate"} {
				id += fmt.Sprint(known)
				if s, err := w.c.Start(w.ctx, id, "Mistyped", nil); err != nil || !s.NoHandler {
					t.Fatalf("%+v, %v", s, err)
				}
				says(t, w.describe(id).Why, "orchestration Mistyped is not registered")
			}
			w.cancel("cancel"+fmt.Sprint(known), "mistyped")
			w.cancelled("cancel"+fmt.Sprint(known), "mistyped")
			if err := w.c.Terminate(w.ctx, "terminate"+fmt.Sprint(known), "mistyped"); err != nil {
				t.Error(err)
			}
			if f := w.failure("terminate" + fmt.Sprint(known)); !errors.Is(f, turnstone.ErrTerminated) {
				t.Errorf("failure %v", f)
			}
			w.crash()
		}
		w.open(upper)
		w.verified = true
	})
}
