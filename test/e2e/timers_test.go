package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
)

// tally counts, from any goroutine.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func newTally() *tally { return &tally{n: map[string]int{}} }

func (c *tally) add(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[name]++
	return c.n[name]
}

func (c *tally) of(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[name]
}

func TestTimers(t *testing.T) {
	scenario(t, "E2E_053 a timer never fires early", func(w *world) {
		o := turnstone.NewOrchestration("O", func(ctx octx, _ string) (int64, error) {
			began := ctx.Now()
			ctx.Sleep(50 * ms)
			return ctx.Now().Sub(began).Milliseconds(), nil
		})
		w.open(o)
		began := time.Now()
		begin(w, o, "i", "")
		// A turn's time is in whole milliseconds, so the client may see a part of one less.
		if took := result[int64](w, "i"); took < 50 || time.Since(began) <= 49*ms {
			t.Errorf("the timer of 50 ms fired after %d ms, %v for the client", took, time.Since(began))
		}
	})
	scenario(t, "E2E_054 three timers awaited in turn all fire", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			a, b, c := ctx.Timer(100*ms), ctx.Timer(50*ms), ctx.Timer(75*ms)
			return "all", turnstone.All(ctx, a, b, c)
		})
		w.open(o)
		begin(w, o, "i", "")
		completes(w, "i", "all")
		if n := w.history("i", 0).count("TimerFired"); n != 3 {
			t.Errorf("%d timers fired, want 3", n)
		}
	})
	scenario(t, "E2E_055 a timer and an activity run side by side", func(w *world) {
		o := text("O", func(ctx octx, in string) (string, error) {
			timer, work := ctx.Timer(20*ms), upper.Start(ctx, in)
			if err := turnstone.All(ctx, timer, work); err != nil {
				return "", err
			}
			v, err := work.Await()
			return "timer+" + v, err
		})
		w.open(upper, o)
		begin(w, o, "i", "act")
		completes(w, "i", "timer+ACT")
	})
	scenario(t, "E2E_058 a timer of zero duration fires", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			ctx.Sleep(0)
			return "zero", nil
		})
		w.open(o)
		begin(w, o, "i", "")
		completes(w, "i", "zero")
		// It may be due before its own instance has heard that it was created.
		more := fullOrShort(200, 50)
		for i := range more {
			begin(w, o, fmt.Sprint("i", i), "")
		}
		for i := range more {
			completes(w, fmt.Sprint("i", i), "zero")
		}
	})
	scenario(t, "E2E_059 a timer of 100 ms fires", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			ctx.Sleep(100 * ms)
			return "slept", nil
		})
		w.open(o)
		begin(w, o, "i", "")
		completes(w, "i", "slept")
	})
	scenario(t, "E2E_061 a timer is due from now and not from the timer before", func(w *world) {
		long, short := lasting("Long", 300*ms, ""), lasting("Short", 20*ms, "short")
		o := text("O", func(ctx octx, _ string) (string, error) {
			ctx.Sleep(10 * ms)
			if _, err := long.Call(ctx, ""); err != nil {
				return "", err
			}
			// Its fire time counts from now, not from when the first timer fired: 200 ms later it would be due already.
			work := short.Start(ctx, "")
			if turnstone.Race(ctx, ctx.Timer(250*ms), work) == 0 {
				return "timer", nil
			}
			return work.Await()
		})
		w.open(long, short, o)
		begin(w, o, "i", "")
		completes(w, "i", "short")
	})
}

func TestTimersAcrossRestarts(t *testing.T) {
	scenario(t, "E2E_056 a timer that is pending fires after a restart", func(w *world) {
		o := text("O", func(ctx octx, in string) (string, error) {
			ctx.Sleep(300 * ms)
			return upper.Call(ctx, in)
		})
		w.open(upper, o)
		begin(w, o, "i", "after")
		w.untilHistory("i", 1, "TimerCreated")
		w.restart()
		completes(w, "i", "AFTER")
		if n := w.history("i", 0).count("TimerFired"); n != 1 {
			t.Errorf("the timer fired %d times", n)
		}
	})
	scenario(t, "E2E_057 a timer that fired stays fired after a restart", func(w *world) {
		hold := newGate()
		slow := turnstone.NewActivity("Slow", func(ctx actx, s string) (string, error) { return "post:" + s, hold.wait(ctx) })
		o := text("O", func(ctx octx, in string) (string, error) {
			ctx.Sleep(20 * ms)
			return slow.Call(ctx, in)
		})
		w.open(slow, o)
		begin(w, o, "i", "x")
		w.untilHistory("i", 1, "TimerFired")
		w.crash()
		hold.open()
		w.start()
		completes(w, "i", "post:x")
		if h := w.history("i", 0); h.count("TimerFired") != 1 || h.count("ActivityScheduled") != 1 {
			t.Errorf("history %v", h.kinds())
		}
	})
	scenario(t, "E2E_060 three pending timers fire after a crash", func(w *world) {
		o := text("O", func(ctx octx, _ string) (string, error) {
			var all []turnstone.Awaitable
			for _, d := range []time.Duration{200, 300, 400} {
				all = append(all, ctx.Timer(d*ms))
			}
			return "fired", turnstone.All(ctx, all...)
		})
		w.open(o)
		begin(w, o, "i", "")
		w.untilHistory("i", 3, "TimerCreated")
		w.restart()
		completes(w, "i", "fired")
		if n := w.history("i", 0).count("TimerFired"); n != 3 {
			t.Errorf("%d timers fired", n)
		}
	})
}

func msOf(n int) time.Duration { return time.Duration(n) * ms }
