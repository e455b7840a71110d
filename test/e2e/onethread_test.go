package e2e

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
)

// TestOnASingleThread: a node needs no second thread to come to an end, and no second slot of a kind.
func TestOnASingleThread(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	single := func(id string, run func(w *world)) {
		scenario(t, id, func(w *world) {
			w.cfg.TurnSlots, w.cfg.ActivitySlots = 1, 1
			run(w)
		})
	}
	echo := activity("Echo", func(s string) (string, error) { return "echo: " + s, nil })
	increment := turnstone.NewActivity("Increment", func(_ actx, n int) (int, error) { return n + 1, nil })

	single("SC_007 one activity runs on a single thread", func(w *world) {
		o := text("O", func(ctx octx, in string) (string, error) { return echo.Call(ctx, in) })
		w.open(echo, o)
		begin(w, o, "i", "hello")
		completes(w, "i", "echo: hello")
	})
	single("SC_008 three activities in a row run on a single thread", func(w *world) {
		o := turnstone.NewOrchestration("O", func(ctx octx, n int) (_ int, err error) {
			for range 3 {
				if n, err = increment.Call(ctx, n); err != nil {
					return 0, err
				}
			}
			return n, nil
		})
		w.open(increment, o)
		begin(w, o, "i", 0)
		completes(w, "i", 3)
	})
	single("SC_009 a timer runs on a single thread", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) { ctx.Sleep(50 * ms); return "timer_done", nil })
		w.open(o)
		begin(w, o, "i", "")
		completes(w, "i", "timer_done")
	})
	single("SC_010 continue-as-new runs on a single thread", func(w *world) {
		o := turnstone.NewOrchestration("O", func(ctx octx, n int) (string, error) {
			if n < 3 {
				return "", turnstone.ContinueAsNew(ctx, n+1)
			}
			return fmt.Sprint("done:", n), nil
		})
		w.open(o)
		begin(w, o, "i", 0)
		completes(w, "i", "done:3")
		w.executions("i", 4)
	})
	single("SC_011 three instances run on a single thread", func(w *world) {
		o := text("O", func(ctx octx, in string) (string, error) { return echo.Call(ctx, in) })
		w.open(echo, o)
		for i := range 3 {
			begin(w, o, fmt.Sprint("i", i), fmt.Sprint(i))
		}
		for i := range 3 {
			completes(w, fmt.Sprint("i", i), fmt.Sprint("echo: ", i))
		}
	})
	single("SC_012 one slot of each kind is enough on a single thread", func(w *world) {
		work := lasting("Work", 5*ms, "result:")
		child := text("Child", func(ctx octx, in string) (string, error) { return work.Call(ctx, in) })
		o := text("O", func(ctx octx, in string) (string, error) {
			all, err := turnstone.Results(ctx, work.Start(ctx, in), child.Start(ctx, in), child.Start(ctx, in))
			return strings.Join(all, " "), err
		})
		w.open(work, child, o)
		begin(w, o, "i", "data")
		completes(w, "i", "result:data result:data result:data")
	})
}

// TestStopsOnASingleThread: an activity is told to stop, or given up, while it has the only thread and slot.
func TestStopsOnASingleThread(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(before)
	scenario(t, "SC_013 an activity is told to stop on a single thread", func(w *world) {
		w.cfg.TurnSlots, w.cfg.ActivitySlots = 1, 1
		x := newWatched()
		o := text("O", func(ctx octx, _ string) (string, error) { return x.activity.Call(ctx, "") })
		w.open(x.activity, o)
		begin(w, o, "i", "")
		receive(w, "the activity's start", x.started)
		began := time.Now()
		w.cancel("i", "stop")
		receive(w, "the cancel signal", x.signal)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it was told after %v", took)
		}
		w.cancelled("i", "stop")
	})
	scenario(t, "SC_014 an activity that does not stop is given up on a single thread", func(w *world) {
		w.cfg.TurnSlots, w.cfg.ActivitySlots, w.cfg.Grace = 1, 1, 200*ms
		hold, started := newGate(), make(chan struct{}, 8)
		defer hold.open()
		runaway := turnstone.NewActivity("Runaway", func(_ actx, s string) (string, error) {
			started <- struct{}{}
			return s, hold.wait(context.Background())
		})
		o := text("O", func(ctx octx, _ string) (string, error) { return runaway.Call(ctx, "") })
		next := text("Next", func(ctx octx, in string) (string, error) { return upper.Call(ctx, in) })
		w.open(runaway, upper, o, next)
		begin(w, o, "i", "")
		receive(w, "the activity's start", started)
		began := time.Now()
		w.cancel("i", "stop")
		w.cancelled("i", "stop")
		begin(w, next, "next", "x")
		completes(w, "next", "X") // in its slot
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("its slot was free after %v", took)
		}
		if h := w.history("i", 0); h.count("ActivityCompleted") != 0 || len(started) != 0 {
			t.Errorf("history %v; it ran again %d times", h.kinds(), len(started))
		}
	})
}
