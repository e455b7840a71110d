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

var waiting = text("Waiting", func(ctx octx, _ string) (string, error) {
	return turnstone.WaitEvent[string](ctx, "never").Await()
})

// untilRunning waits until an instance has had its first turn.
func (w *world) untilRunning(id string) { w.untilHistory(id, 1, "OrchestrationStarted") }

func TestCancelOfAParentThatWaits(t *testing.T) {
	scenario(t, "F_44 a cancel reaches a child that is waited for", func(w *world) {
		o := text("Parent", func(ctx octx, _ string) (string, error) {
			waiting.Start(ctx, "", turnstone.WithChildPolicy(turnstone.WaitForChild))
			return waiting.Call(ctx, "", turnstone.WithChildPolicy(turnstone.WaitForChild))
		})
		w.open(waiting, o)
		begin(w, o, "p", "")
		w.untilRunning("p::sub::2")
		w.untilRunning("p::sub::3")
		w.cancel("p", "by_test")
		w.cancelled("p", "by_test")
		for _, id := range []string{"p::sub::2", "p::sub::3"} {
			w.cancelled(id, "parent canceled")
			if n := w.history(id, 0).count("OrchestrationCancelRequested"); n != 1 {
				t.Errorf("%s: %d cancel requests", id, n)
			}
		}
	})
}

func TestCancelInstances(t *testing.T) {
	scenario(t, "CAN_001 cancelling a parent that awaits a child ends both as cancelled", func(w *world) {
		o := text("Parent", func(ctx octx, _ string) (string, error) { return waiting.Call(ctx, "") })
		w.open(waiting, o)
		begin(w, o, "p", "")
		w.untilRunning("p::sub::2")
		w.cancel("p", "by_test")
		w.cancelled("p", "by_test")
		w.cancelled("p::sub::2", "parent canceled")
		for _, id := range []string{"p", "p::sub::2"} {
			if n := w.history(id, 0).count("OrchestrationCancelRequested"); n != 1 {
				t.Errorf("%s: %d cancel requests", id, n)
			}
		}
	})
	scenario(t, "CAN_002 cancelling an instance that has ended is refused and changes nothing", func(w *world) {
		o := text("O", func(ctx octx, in string) (string, error) { return upper.Call(ctx, in) })
		w.open(upper, o)
		begin(w, o, "i", "x")
		completes(w, "i", "X")
		if err := w.c.Cancel(w.ctx, "i", "too late"); !errors.Is(err, turnstone.ErrInstanceEnded) {
			t.Errorf("a cancel after the end gave %v", err)
		}
		if h := w.history("i", 0); h.count("OrchestrationCancelRequested") != 0 {
			t.Errorf("history %v", h.kinds())
		}
		completes(w, "i", "X")
	})
	scenario(t, "CAN_003 a child that is cancelled by itself fails its parent's call", func(w *world) {
		o := text("Parent", func(ctx octx, _ string) (string, error) {
			_, err := waiting.Call(ctx, "")
			if !errors.Is(err, turnstone.ErrCancelled) {
				return "", fmt.Errorf("not cancelled: %w", err)
			}
			return err.Error(), nil
		})
		w.open(waiting, o)
		begin(w, o, "p", "")
		w.untilRunning("p::sub::2")
		w.cancel("p::sub::2", "by_test_child")
		completes(w, "p", "canceled: by_test_child")
		if e := w.history("p", 0).first(t, "SubOrchestrationFailed"); e.GetSource() != 2 {
			t.Errorf("source %d", e.GetSource())
		}
	})
	scenario(t, "CAN_004 cancelling during a later execution ends the instance", func(w *world) {
		o := turnstone.NewOrchestration("O", func(ctx octx, n int) (string, error) {
			if n == 0 {
				return "", turnstone.ContinueAsNew(ctx, 1)
			}
			return turnstone.WaitEvent[string](ctx, "never").Await()
		})
		w.open(o)
		begin(w, o, "i", 0)
		w.untilExecution("i", 2)
		w.cancel("i", "by_test_can")
		w.cancelled("i", "by_test_can")
		w.executions("i", 2)
	})
	scenario(t, "CAN_007 cancelling a parent cancels all of its children", func(w *world) {
		o := text("Parent", func(ctx octx, _ string) (string, error) {
			var all []turnstone.Awaitable
			for i := range 5 {
				all = append(all, waiting.Start(ctx, "", turnstone.WithChildID(fmt.Sprintf("child-%d", i))))
			}
			return "", turnstone.All(ctx, all...)
		})
		w.open(waiting, o)
		begin(w, o, "p", "")
		for i := range 5 {
			w.untilRunning(fmt.Sprintf("child-%d", i))
		}
		w.cancel("p", "all")
		w.cancelled("p", "all")
		for i := range 5 {
			w.cancelled(fmt.Sprintf("child-%d", i), "parent canceled")
		}
	})
	// Cancelling an instance that does not exist is refused and writes nothing.
	scenario(t, "CAN_013 cancelling an unknown instance says that it is not there", func(w *world) {
		w.open(waiting)
		for name, err := range map[string]error{
			"cancel": w.c.Cancel(w.ctx, "nobody", "why"), "raise": w.c.Raise(w.ctx, "nobody", "e", nil),
		} {
			if !errors.Is(err, turnstone.ErrInstanceNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		begin(w, waiting, "nobody", "")
		w.untilRunning("nobody")
		if s, err := w.c.Status(w.ctx, "nobody"); err != nil || s.State != client.StateRunning {
			t.Errorf("status %+v, %v", s, err)
		}
	})
	scenario(t, "CAN_014 of several cancellations the first one counts", func(w *world) {
		w.open(waiting)
		begin(w, waiting, "i", "")
		w.untilRunning("i")
		for i := range 5 {
			err := w.c.Cancel(w.ctx, "i", fmt.Sprintf("cancel-%d", i))
			if err != nil && (i == 0 || !errors.Is(err, turnstone.ErrInstanceEnded)) {
				t.Errorf("cancel %d gave %v", i, err)
			}
		}
		w.cancelled("i", "cancel-0")
		if n := w.history("i", 0).count("OrchestrationCancelRequested"); n != 1 {
			t.Errorf("%d cancel requests", n)
		}
	})
	scenario(t, "CAN_021 a child that is cancelled from two sides ends once", func(w *world) {
		o := text("Parent", func(ctx octx, _ string) (string, error) {
			child := waiting.Start(ctx, "", turnstone.WithChildID("child"))
			if err := turnstone.WaitEvent[string](ctx, "go").Err(); err != nil {
				return "", err
			}
			child.Cancel()
			return "dropped", nil
		})
		w.open(waiting, o)
		begin(w, o, "p", "")
		w.untilRunning("child")
		w.untilHistory("p", 1, "ExternalSubscribed")
		// Both requests wait before any turn runs: the user's in the child's inbox, the other comes with the parent's turn.
		w.crash()
		w.cfg.TurnSlots = -1
		w.start()
		w.cancel("child", "by user")
		w.raise("p", "go", "")
		w.cfg.TurnSlots = 8
		w.restart()
		completes(w, "p", "dropped")
		if f := w.failure("child"); f.Kind != turnstone.KindCancelled {
			t.Errorf("child %+v", f)
		}
		if e := w.history("p", 0).first(t, "SubOrchestrationCancelRequested"); e.GetSubOrchestrationCancelRequested().GetReason() != "dropped_future" {
			t.Errorf("breadcrumb %v", e)
		}
		if n := w.history("child", 0).count("OrchestrationCancelRequested"); n != 1 {
			t.Errorf("%d cancel requests in the child", n)
		}
	})
}

// watched is an activity that runs until it is told to stop, and says so.
type watched struct {
	activity *turnstone.Activity[string, string]
	started  chan struct{}
	signal   chan error
}

func newWatched() *watched {
	x := &watched{started: make(chan struct{}, 8), signal: make(chan error, 8)}
	x.activity = turnstone.NewActivity("Watched", func(ctx actx, s string) (string, error) {
		x.started <- struct{}{}
		<-ctx.Done()
		x.signal <- context.Cause(ctx)
		return s, ctx.Err()
	})
	return x
}

func receive[T any](w *world, what string, c <-chan T) T {
	w.t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		w.t.Fatalf("%s never came", what)
		panic("unreachable")
	}
}

func TestCancelActivities(t *testing.T) {
	scenario(t, "CAN_008 a running activity is told when its instance is cancelled", func(w *world) {
		x := newWatched()
		o := text("O", func(ctx octx, _ string) (string, error) { return x.activity.Call(ctx, "") })
		w.cfg.WorkLease, w.cfg.WorkLeaseBuffer = 2*time.Second, 500*ms
		w.open(x.activity, o)
		begin(w, o, "i", "")
		receive(w, "the activity's start", x.started)
		began := time.Now()
		w.cancel("i", "stop it")
		receive(w, "the cancel signal", x.signal)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("the signal came after %v", took)
		}
		w.cancelled("i", "stop it")
		if n := w.history("i", 0).count("ActivityCancelRequested"); n != 1 {
			t.Errorf("%d breadcrumbs", n)
		}
	})
	scenario(t, "CAN_010 an activity that completes after the cancellation does no harm", func(w *world) {
		hold, started := newGate(), make(chan struct{}, 1)
		stubborn := turnstone.NewActivity("Stubborn", func(_ actx, s string) (string, error) {
			started <- struct{}{}
			return s, hold.wait(context.Background())
		})
		o := text("O", func(ctx octx, _ string) (string, error) { return stubborn.Call(ctx, "") })
		w.open(stubborn, o)
		begin(w, o, "i", "")
		receive(w, "the activity's start", started)
		w.cancel("i", "gone")
		w.cancelled("i", "gone")
		hold.open() // its result comes after the end
		begin(w, o, "again", "")
		completes(w, "again", "")
		if h := w.history("i", 0); h.count("ActivityCompleted") != 0 {
			t.Errorf("history %v", h.kinds())
		}
	})
	scenario(t, "CAN_011 an activity that was not begun never runs after the cancellation", func(w *world) {
		runs := newTally()
		counted := turnstone.NewActivity("Counted", func(_ actx, s string) (string, error) { runs.add(s); return s, nil })
		o := text("O", func(ctx octx, in string) (string, error) { return counted.Call(ctx, in) })
		w.cfg.ActivitySlots = -1
		w.open(counted, o)
		begin(w, o, "cancelled", "cancelled")
		w.untilHistory("cancelled", 1, "ActivityScheduled")
		w.cancel("cancelled", "no worker")
		w.cancelled("cancelled", "no worker")
		w.cfg.ActivitySlots = 4
		w.restart()
		begin(w, o, "other", "other")
		completes(w, "other", "other")
		if runs.of("cancelled") != 0 || w.history("cancelled", 0).count("ActivityCompleted") != 0 {
			t.Errorf("the cancelled activity ran %d times", runs.of("cancelled"))
		}
	})
	scenario(t, "CAN_012 an activity that ignores its cancellation is given up and its result is void", func(w *world) {
		hold, started := newGate(), make(chan struct{}, 8)
		deaf := turnstone.NewActivity("Deaf", func(_ actx, s string) (string, error) {
			started <- struct{}{}
			return s, hold.wait(context.Background())
		})
		o := text("O", func(ctx octx, _ string) (string, error) { return deaf.Call(ctx, "") })
		w.cfg.Grace, w.cfg.ActivitySlots = 100*ms, 1
		w.open(deaf, upper, o, text("U", func(ctx octx, in string) (string, error) { return upper.Call(ctx, in) }))
		begin(w, o, "i", "")
		receive(w, "the activity's start", started)
		w.cancel("i", "now")
		w.cancelled("i", "now")
		// Its only slot is given to another before the deaf one ends.
		if _, err := w.c.Start(w.ctx, "next", "U", []byte(`"x"`)); err != nil {
			t.Fatal(err)
		}
		completes(w, "next", "X")
		hold.open()
		if h := w.history("i", 0); h.count("ActivityCompleted") != 0 || len(started) != 0 {
			t.Errorf("history %v; it ran again %d times", h.kinds(), len(started))
		}
	})
}

func TestCancelDropped(t *testing.T) {
	scenario(t, "CAN_005 an instance that drops a slow activity stays completed", func(w *world) {
		x := newWatched()
		o := text("O", func(ctx octx, _ string) (string, error) {
			x.activity.Start(ctx, "")
			ctx.Sleep(20 * ms)
			return "done", nil
		})
		w.open(x.activity, o)
		begin(w, o, "i", "")
		completes(w, "i", "done")
		receive(w, "the cancel signal", x.signal)
		completes(w, "i", "done")
		if h := w.history("i", 0); h.kinds()[len(h)-1] != "OrchestrationCompleted" || h.count("ActivityCompleted")+h.count("ActivityFailed") != 0 {
			t.Errorf("history %v", h.kinds())
		}
	})
	scenario(t, "CAN_006 an instance that drops a slow activity stays failed", func(w *world) {
		x := newWatched()
		o := text("O", func(ctx octx, _ string) (string, error) {
			x.activity.Start(ctx, "")
			ctx.Sleep(20 * ms)
			return "", errors.New("boom")
		})
		w.open(x.activity, o)
		begin(w, o, "i", "")
		if f := w.failure("i"); f.Error() != "boom" {
			t.Errorf("failure %v", f)
		}
		receive(w, "the cancel signal", x.signal)
		if f := w.failure("i"); f.Error() != "boom" {
			t.Errorf("failure %v", f)
		}
	})
	scenario(t, "CAN_016 an activity that is dropped after a timer is told to stop", func(w *world) {
		x := newWatched()
		o := text("O", func(ctx octx, _ string) (string, error) {
			work := x.activity.Start(ctx, "")
			ctx.Sleep(50 * ms)
			work.Cancel()
			return "completed_after_drop", nil
		})
		w.open(x.activity, o)
		begin(w, o, "i", "")
		receive(w, "the cancel signal", x.signal)
		completes(w, "i", "completed_after_drop")
	})
	scenario(t, "CAN_017 an activity that nothing awaits any more is told to stop", func(w *world) {
		x := newWatched()
		o := text("O", func(ctx octx, _ string) (string, error) {
			err := ctx.Scope(func(ctx octx) error {
				x.activity.Start(ctx, "")
				ctx.Sleep(50 * ms)
				return nil
			})
			ctx.Sleep(ms)
			return "out of scope", err
		})
		w.open(x.activity, o)
		begin(w, o, "i", "")
		receive(w, "the cancel signal", x.signal)
		completes(w, "i", "out of scope")
		if e := w.history("i", 0).first(t, "ActivityCancelRequested"); e.GetActivityCancelRequested().GetReason() != "dropped_future" {
			t.Errorf("breadcrumb %v", e)
		}
	})
	children := map[string]func(ctx octx) string{
		"CAN_019 a child that loses to a timer is cancelled under its own id": func(ctx octx) string {
			child := waiting.Start(ctx, "", turnstone.WithChildID("my-explicit-child-id"))
			return []string{"child_won", "timer_won"}[turnstone.Race(ctx, child, ctx.Timer(50*ms))]
		},
		"CAN_020 a child that is dropped is cancelled and its parent completes": func(ctx octx) string {
			child := waiting.Start(ctx, "", turnstone.WithChildID("my-explicit-child-id"))
			ctx.Sleep(50 * ms)
			child.Cancel()
			return "timer_won"
		},
		"CAN_022 a child that nothing awaits any more is cancelled": func(ctx octx) string {
			_ = ctx.Scope(func(ctx octx) error {
				waiting.Start(ctx, "", turnstone.WithChildID("my-explicit-child-id"))
				ctx.Sleep(50 * ms)
				return nil
			})
			return "timer_won"
		},
	}
	for id, run := range children {
		scenario(t, id, func(w *world) {
			o := text("Parent", func(ctx octx, _ string) (string, error) { return run(ctx), nil })
			w.open(waiting, o)
			begin(w, o, "p", "")
			completes(w, "p", "timer_won")
			w.cancelled("my-explicit-child-id", "parent dropped sub-orchestration future")
		})
	}
}

func TestPositionalWaits(t *testing.T) {
	scenario(t, "CAN_023 a positional wait that misses its event times out and is cancelled", func(w *world) {
		hold := newGate()
		held := turnstone.NewActivity("Held", func(ctx actx, s string) (string, error) { return s, hold.wait(ctx) })
		o := text("O", func(ctx octx, _ string) (string, error) {
			if _, err := held.Call(ctx, ""); err != nil {
				return "", err
			}
			event := turnstone.WaitEvent[string](ctx, "E", turnstone.Positional)
			if turnstone.Race(ctx, event, ctx.Timer(50*ms)) == 1 {
				ctx.Sleep(ms)
				return "timeout", nil
			}
			return event.Await()
		})
		w.open(held, o)
		begin(w, o, "i", "")
		w.raise("i", "E", "early")
		w.untilHistory("i", 1, "ExternalEvent")
		hold.open()
		completes(w, "i", "timeout")
		if e := w.history("i", 0).first(t, "ExternalSubscribedCancelled"); e.GetExternalSubscribedCancelled().GetReason() != "dropped_future" {
			t.Errorf("breadcrumb %v", e)
		}
	})
	for id, data := range map[string][2]string{"CAN_025 two positional waits in a row take two events": {"first", "second"}, "CAN_026 two equal events are two events": {"same_payload", "same_payload"}} {
		scenario(t, id, func(w *world) {
			o := text("O", func(ctx octx, _ string) (string, error) {
				var got []string
				for range 2 {
					v, err := turnstone.WaitEvent[string](ctx, "E", turnstone.Positional).Await()
					if err != nil {
						return "", err
					}
					got = append(got, v)
				}
				return strings.Join(got, ","), nil
			})
			w.open(o)
			begin(w, o, "i", "")
			w.untilHistory("i", 1, "ExternalSubscribed")
			w.raise("i", "E", data[0])
			w.untilHistory("i", 2, "ExternalSubscribed")
			w.raise("i", "E", data[1])
			completes(w, "i", data[0]+","+data[1])
		})
	}
}
