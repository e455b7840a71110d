package e2e

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// inject puts a message into an instance's inbox behind the client's back.
func (w *world) inject(id string, m *turnpb.Message) {
	w.t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		w.t.Fatal(err)
	}
	store := stores.Of(w.node)
	done := make(chan persistence.Result, 1)
	store.Propose(store.PartitionOf(id), persistence.Proposal{
		TimeMs: clock.WallMs(clock.Real), Command: &persistence.Enqueue{ID: id, Message: data},
		Done: func(r persistence.Result) { done <- r },
	})
	if r := <-done; r.Err != nil || r.Seq == 0 {
		w.t.Fatalf("inject into %s: %+v", id, r)
	}
}

func activityResult(execution, event uint64, result string) *turnpb.Message {
	return &turnpb.Message{Execution: execution, Event: event, Kind: &turnpb.Message_ActivityResult{
		ActivityResult: &turnpb.ActivityResult{Result: []byte(result)},
	}}
}

// untilExecution waits until an execution has had its first turn.
func (w *world) untilExecution(id string, n uint64) {
	w.t.Helper()
	w.until(fmt.Sprintf("execution %d of %s", n, id), func() bool {
		d, err := w.c.Describe(w.ctx, id)
		return err == nil && d.Execution == n && d.Turn > 0
	})
}

// counter continues as new until it has counted to 2.
func counter(how func(ctx octx, next int) (string, error)) *orch[int, string] {
	return turnstone.NewOrchestration("Counter", func(ctx octx, n int) (string, error) {
		if n < 2 {
			return how(ctx, n+1)
		}
		return fmt.Sprintf("done:%d", n), nil
	})
}

func TestContinueAsNew(t *testing.T) {
	scenario(t, "CNX_001 each execution has its own input and end, and the last one completes", func(w *world) {
		o := counter(func(ctx octx, next int) (string, error) { return "", turnstone.ContinueAsNew(ctx, next) })
		w.open(o)
		begin(w, o, "i", 0)
		completes(w, "i", "done:2")
		w.executions("i", 3)
		for n := uint64(1); n <= 3; n++ {
			h := w.history("i", n)
			if in := string(h[0].GetStarted().GetInput()); in != fmt.Sprint(n-1) {
				t.Errorf("input of execution %d: %s", n, in)
			}
			if n == 3 {
				continue
			}
			if next := h[len(h)-1].GetContinuedAsNew(); string(next.GetInput()) != fmt.Sprint(n) || h.count("OrchestrationCompleted") != 0 {
				t.Errorf("execution %d ends with %v", n, h[len(h)-1])
			}
		}
		if latest := w.history("i", 0); string(latest[0].GetStarted().GetInput()) != "2" {
			t.Errorf("the latest history begins with %v", latest[0])
		}
	})
	scenario(t, "CNX_007 continue-as-new counts although it is not awaited", func(w *world) {
		// The author forgets to return what ContinueAsNew gave: the execution rolls over all the same.
		o := counter(func(ctx octx, next int) (string, error) {
			_ = turnstone.ContinueAsNew(ctx, next)
			return "not this", nil
		})
		w.open(o)
		begin(w, o, "i", 0)
		completes(w, "i", "done:2")
		w.executions("i", 3)
	})
	scenario(t, "CNX_002 an event goes to the execution that waits for it", func(w *world) {
		o := turnstone.NewOrchestration("O", func(ctx octx, n int) (string, error) {
			if n == 0 {
				return "", turnstone.ContinueAsNew(ctx, 1)
			}
			return turnstone.WaitEvent[string](ctx, "Go", turnstone.Positional).Await()
		})
		w.open(o)
		begin(w, o, "i", 0)
		w.untilExecution("i", 2)
		w.raise("i", "Go", "ok")
		completes(w, "i", "ok")
		if first, second := w.history("i", 1).count("ExternalEvent"), w.history("i", 2).count("ExternalEvent"); first != 0 || second != 1 {
			t.Errorf("%d events in execution 1, %d in execution 2", first, second)
		}
	})
	scenario(t, "CNX_003 a positional event that precedes the wait is dropped, a later one is delivered", func(w *world) {
		hold := newGate()
		held := turnstone.NewActivity("Held", func(ctx actx, s string) (string, error) { return s, hold.wait(ctx) })
		o := turnstone.NewOrchestration("O", func(ctx octx, n int) (string, error) {
			if n == 0 {
				return "", turnstone.ContinueAsNew(ctx, 1)
			}
			if _, err := held.Call(ctx, ""); err != nil {
				return "", err
			}
			return turnstone.WaitEvent[string](ctx, "Go", turnstone.Positional).Await()
		})
		w.open(held, o)
		begin(w, o, "i", 0)
		w.untilExecution("i", 2)
		w.raise("i", "Go", "early")
		w.untilHistory("i", 1, "ExternalEvent")
		hold.open()
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.raise("i", "Go", "late")
		completes(w, "i", "late")
		if n := w.history("i", 1).count("ExternalEvent"); n != 0 {
			t.Errorf("%d events in execution 1", n)
		}
	})
	scenario(t, "CNX_004 a positional event that nothing waits for is in history all the same", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			ctx.Sleep(100 * ms)
			event := turnstone.WaitEvent[string](ctx, "Go", turnstone.Positional)
			if turnstone.Race(ctx, event, ctx.Timer(100*ms)) == 1 {
				return "early-event-dropped", nil
			}
			return event.Await()
		})
		w.open(o)
		begin(w, o, "i", "")
		w.raise("i", "Go", "early")
		completes(w, "i", "early-event-dropped")
		if n := w.history("i", 0).count("ExternalEvent"); n != 1 {
			t.Errorf("%d events in history, want 1", n)
		}
	})
	for id, execution := range map[string]uint64{"CNX_005 a completion for execution 0 is never recorded": 0, "CNX_006 a completion for an execution to come is never recorded": 999} {
		scenario(t, id, func(w *world) {
			hold := newGate()
			held := turnstone.NewActivity("Held", func(ctx actx, s string) (string, error) { return "real:" + s, hold.wait(ctx) })
			o := text("O", func(ctx octx, in string) (string, error) { return held.Call(ctx, in) })
			w.open(held, o)
			begin(w, o, "i", "x")
			w.untilHistory("i", 1, "ActivityScheduled")
			w.inject("i", activityResult(execution, 2, `"forged"`))
			w.until("the forged result is consumed", func() bool {
				d, err := w.c.Describe(w.ctx, "i")
				return err == nil && d.Inbox == 0
			})
			hold.open()
			completes(w, "i", "real:x")
			if h := w.history("i", 0); h.count("ActivityCompleted") != 1 {
				t.Errorf("history %v", h.kinds())
			}
		})
	}
}

// What continue-as-new carries over: buffered events that no wait took, in their order, and nothing else.
func TestContinueAsNewCarriesEvents(t *testing.T) {
	scenario(t, "carry", func(w *world) {
		o := turnstone.NewOrchestration("O", func(ctx octx, round int) (string, error) {
			first, err := turnstone.WaitEvent[string](ctx, "a").Await()
			if err != nil || round > 1 {
				return fmt.Sprint(round, first), err
			}
			turnstone.WaitEvent[string](ctx, "b") // the event is never raised; the next execution does not inherit the wait
			ctx.Sleep(ms)
			return "", turnstone.ContinueAsNew(ctx, round+1)
		})
		w.cfg.TurnSlots = -1
		w.open(o)
		begin(w, o, "i", 0)
		for _, v := range []string{"1", "2", "3"} {
			w.raise("i", "a", v)
		}
		w.cfg.TurnSlots = 8
		w.restart()
		completes(w, "i", "23")
		w.executions("i", 3)
		carried := w.history("i", 2)[0].GetStarted().GetCarried()
		if len(carried) != 2 || string(carried[0].GetData()) != `"2"` || string(carried[1].GetData()) != `"3"` {
			t.Errorf("carried %v", carried)
		}
	})
}

// A waiter sees the end of an instance across its executions, also one that began waiting before the instance existed.
func TestWaitAcrossExecutions(t *testing.T) {
	scenario(t, "wait", func(w *world) {
		o := counter(func(ctx octx, next int) (string, error) {
			ctx.Sleep(5 * ms)
			return "", turnstone.ContinueAsNew(ctx, next)
		})
		w.open(o)
		got := make(chan error, 1)
		go func() {
			v, err := client.Attach[string](w.c, "later").Wait(w.ctx, client.WaitForStart())
			if err == nil && v != "done:2" {
				err = fmt.Errorf("it gave %q", v)
			}
			got <- err
		}()
		begin(w, o, "later", 0)
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}
