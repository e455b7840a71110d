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

// An orchestration that no node has registered waits, accepts events, and runs when a node that has it comes.
func TestUnregisteredOrchestration(t *testing.T) {
	o := text("Late", func(ctx octx, _ string) (string, error) { return turnstone.WaitEvent[string](ctx, "go").Await() })
	scenario(t, "comes later", func(w *world) {
		w.cfg.BackoffBase, w.cfg.BackoffMax = 10*ms, 50*ms
		w.open(upper)
		begin(w, o, "i", "")
		w.raise("i", "go", "kept")
		w.until("its turn was held back", func() bool { return w.node.Metrics().Unregistered > 0 })
		if d, err := w.c.Describe(w.ctx, "i"); err != nil || d.State != client.StatePending {
			t.Errorf("while it waits: %+v, %v", d, err)
		}
		if err := w.registry.Register(o); err != nil { // a registry may grow while a node runs from it
			t.Fatal(err)
		}
		completes(w, "i", "kept")
	})
	scenario(t, "never comes", func(w *world) {
		w.cfg.MaxAttempts, w.cfg.BackoffBase, w.cfg.BackoffMax = 3, 5*ms, 20*ms
		parent := text("Parent", func(ctx octx, _ string) (string, error) {
			out, err := ctx.CallChild("Nobody", nil)
			return string(out), err
		})
		w.open(parent)
		begin(w, parent, "p", "")
		f := w.failure("p") // the child's poison is its parent's
		if !errors.Is(f, turnstone.ErrPoisoned) || f.AttemptsMax != 3 {
			t.Errorf("the parent: %+v", f)
		}
		if f := w.failure("p::sub::2"); f.Category != turnstone.CategoryPoison || !strings.HasPrefix(f.Error(), "poison: orchestration p::sub::2 exceeded") {
			t.Errorf("the child: %v", f)
		}
	})
}

// Code that blocks outside Turnstone is reported, given up, and run again.
func TestWatchdog(t *testing.T) {
	scenario(t, "blocked turn", func(w *world) {
		hold, blocked := newGate(), make(chan struct{}, 8)
		defer hold.open()
		runs := newTally()
		o := text("O", func(ctx octx, in string) (string, error) {
			if runs.add(ctx.Instance()) == 1 {
				blocked <- struct{}{}
				_ = hold.wait(context.Background())
			}
			return upper.Call(ctx, in)
		})
		w.reopened = true // it is loaded again after it was given up
		w.cfg.WatchdogWarn, w.cfg.WatchdogAbandon, w.cfg.TurnSlots = 30*ms, 100*ms, 2
		w.cfg.BackoffBase, w.cfg.BackoffMax = 5*ms, 20*ms
		w.open(upper, o)
		begin(w, o, "i", "x")
		receive(w, "the blocked turn", blocked)
		begin(w, o, "j", "y") // others go on: this one blocks too, once
		completes(w, "i", "X")
		completes(w, "j", "Y")
		if m := w.node.Metrics(); m.ReportedTurns == 0 || m.AbandonedTurns == 0 || m.LeakedCoroutines == 0 {
			t.Errorf("metrics %+v", m)
		}
		if log := w.log.String(); !strings.Contains(log, "trouble_test.go") {
			t.Errorf("the report does not show where the code blocks:\n%s", log)
		}
	})
}

// Code that kills its process is counted, and given up in the end.
func TestKillers(t *testing.T) {
	scenario(t, "activity", func(w *world) {
		running, hold := make(chan struct{}, 8), newGate()
		killer := turnstone.NewActivity("Killer", func(ctx actx, s string) (string, error) {
			running <- struct{}{}
			return s, hold.wait(ctx)
		})
		o := text("O", func(ctx octx, in string) (string, error) { return killer.Call(ctx, in) })
		w.cfg.MaxAttempts, w.cfg.WorkLease = 2, 5*time.Second
		w.open(killer, o)
		begin(w, o, "i", "x")
		f, crashes := w.crashWhile("i", running)
		if !errors.Is(f, turnstone.ErrPoisoned) || !strings.Contains(f.Error(), "activity Killer#2 exceeded") {
			t.Errorf("failure %v", f)
		}
		if crashes < 2 || crashes > 4 { // a grant that a crash takes is not counted
			t.Errorf("it was given up after %d crashes, with 2 attempts allowed", crashes)
		}
	})
	scenario(t, "orchestration", func(w *world) {
		running, hold := make(chan struct{}, 8), newGate()
		defer hold.open()
		o := text("O", func(ctx octx, in string) (string, error) {
			running <- struct{}{}
			_ = hold.wait(context.Background()) // it never comes back: the process dies in it
			return in, nil
		})
		w.cfg.MaxAttempts, w.cfg.TurnLease = 2, 2*time.Second
		w.cfg.WatchdogWarn, w.cfg.WatchdogAbandon = time.Hour, time.Hour
		w.cfg.TurnSlots = -1
		w.open(o)
		begin(w, o, "i", "x") // durable before its code runs for the first time
		w.crash()
		w.cfg.TurnSlots = 4
		w.start()
		f, crashes := w.crashWhile("i", running)
		if !errors.Is(f, turnstone.ErrPoisoned) || !strings.Contains(f.Error(), "orchestration i exceeded") {
			t.Errorf("failure %v", f)
		}
		if crashes < 2 || crashes > 4 {
			t.Errorf("it was given up after %d crashes, with 2 attempts allowed", crashes)
		}
		hold.open()
	})
}

// crashWhile crashes the node whenever the code runs, until the instance has failed.
func (w *world) crashWhile(id string, running chan struct{}) (*turnstone.Failure, int) {
	w.t.Helper()
	for crashes := 0; crashes < 8; crashes++ {
		ended := make(chan client.End, 1)
		ctx, cancel := context.WithTimeout(w.ctx, patience)
		go func() {
			if end, err := w.c.Wait(ctx, id); err == nil {
				ended <- end
			}
		}()
		select {
		case end := <-ended:
			cancel()
			return end.Failure, crashes
		case <-running:
			w.restart()
		case <-ctx.Done():
			w.t.Fatalf("neither runs nor ends: %s", w.story(id))
		}
		cancel()
	}
	w.t.Fatal("it is never given up")
	return nil, 0
}

// Code that no longer fits its history fails with an error that says where, if that is wanted.
func TestNondeterminism(t *testing.T) {
	scenario(t, "changed code", func(w *world) {
		hold := newGate()
		held := turnstone.NewActivity("Held", func(ctx actx, s string) (string, error) { return s, hold.wait(ctx) })
		before := text("O", func(ctx octx, in string) (string, error) { return held.Call(ctx, in) })
		after := text("O", func(ctx octx, in string) (string, error) { return upper.Call(ctx, in) })
		w.cfg.FailOnNondeterminism = true
		w.open(held, upper, before)
		begin(w, before, "i", "x")
		w.untilHistory("i", 1, "ActivityScheduled")
		w.crash()
		hold.open()
		w.register(held, upper, after)
		w.start()
		f := w.failure("i")
		if !errors.Is(f, turnstone.ErrNondeterminism) || f.Category != turnstone.CategoryConfiguration {
			t.Errorf("failure %+v", f)
		}
		for _, want := range []string{"nondeterministic: ", "event 2", "Held", "Upper", "trouble_test.go"} {
			if !strings.Contains(f.Error(), want) {
				t.Errorf("%q does not say %q", f, want)
			}
		}
		w.register(held, upper) // the history is of two minds: there is nothing for the oracle
		w.verified = true
	})
}

// Misuse of the context is reported, and never committed. Only for resident instances: one that leaves memory is unwound
// at the same moment, and such a call is then a data race of the author's.
func TestMisuse(t *testing.T) {
	resident(t, "foreign goroutine", func(w *world) {
		seen := make(chan octx, 4)
		o := text("O", func(ctx octx, in string) (string, error) {
			seen <- ctx
			return turnstone.WaitEvent[string](ctx, "go").Await()
		})
		w.reopened = true
		w.cfg.MaxAttempts, w.cfg.BackoffBase, w.cfg.BackoffMax = 3, 5*ms, 20*ms
		w.open(o)
		begin(w, o, "i", "")
		ctx := receive(w, "the context", seen)
		w.untilHistory("i", 1, "ExternalSubscribed")
		ended := make(chan struct{})
		go func() { // the author leaked the context to a goroutine of its own
			defer close(ended)
			ctx.Sleep(time.Hour)
			panic("a call from a foreign goroutine came back")
		}()
		receive(w, "the end of the foreign goroutine", ended)
		w.raise("i", "go", "ok")
		completes(w, "i", "ok")
		if n := w.history("i", 0).count("TimerCreated"); n != 0 {
			t.Errorf("%d timers in history", n)
		}
	})
}

// Concurrent clients that ask for the same are answered alike.
func TestRequestKeys(t *testing.T) {
	scenario(t, "repeated requests", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			var got []string
			for {
				v, err := turnstone.WaitEvent[string](ctx, "e").Await()
				if err != nil || v == "end" {
					return strings.Join(got, ","), err
				}
				got = append(got, v)
			}
		})
		w.open(o)
		for range 3 {
			if _, err := client.Start(w.ctx, w.c, "i", o, "", client.WithRequestKey("start")); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 6 {
			key := client.WithRequestKey(fmt.Sprint("raise", i/2))
			if err := client.Raise(w.ctx, w.c, "i", "e", fmt.Sprint(i/2), key); err != nil {
				t.Fatal(err)
			}
		}
		w.restart()
		if err := client.Raise(w.ctx, w.c, "i", "e", "2", client.WithRequestKey("raise2")); err != nil {
			t.Fatal(err)
		}
		w.raise("i", "e", "end")
		completes(w, "i", "0,1,2")
	})
}
