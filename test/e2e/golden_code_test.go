package e2e

import (
	"sync/atomic"
	"time"

	"github.com/turnstone-dev/turnstone"
)

// goldenCode is the code of the instances in the golden stores, as generate.go.txt has it. What blocked there until its
// process was killed gives its input back here.
type goldenCode struct {
	// fits: the code of Careful is what its instance began with, and no more what held it.
	fits atomic.Bool

	fails, hold                                               *turnstone.Activity[string, string]
	greeter, second, breaker, panicker, waiter, quarter, naps *orch[string, string]
	works, detacher, careful, leaf, busy                      *orch[string, string]
	parent                                                    *orch[[]string, []string]
	rounds                                                    *orch[int, string]
	collector                                                 *orch[int, int]
}

func newGoldenCode() *goldenCode {
	c := &goldenCode{
		fails: activity("Fails", func(s string) (string, error) {
			return "", &turnstone.Error{Kind: "Declined", Message: s, Details: map[string]int{"code": 7}, NonRetryable: true}
		}),
		hold:     activity("Hold", func(s string) (string, error) { return s, nil }),
		greeter:  text("Greeter", func(ctx octx, in string) (string, error) { return upper.Call(ctx, in) }),
		panicker: text("Panicker", func(octx, string) (string, error) { panic("broken") }),
		second: turnstone.NewOrchestration("Greeter", func(ctx octx, in string) (string, error) { return upper.Call(ctx, in+" 2") },
			turnstone.WithVersion("2.0.0")),
		naps: text("Napper", func(ctx octx, in string) (string, error) {
			ctx.Sleep(20 * time.Second)
			return upper.Call(ctx, in)
		}),
		leaf: text("Leaf", func(ctx octx, in string) (string, error) { return upper.Call(ctx, in) }),
	}
	c.breaker = text("Breaker", func(ctx octx, in string) (string, error) { return c.fails.Call(ctx, in) })
	c.works = text("Worker", func(ctx octx, in string) (string, error) { return c.hold.Call(ctx, in) })
	c.waiters()
	c.collectors()
	return c
}

// waiters wait for events, and some for more.
func (c *goldenCode) waiters() {
	c.waiter = text("Waiter", func(ctx octx, in string) (string, error) {
		v, err := turnstone.WaitEvent[string](ctx, "go").Await()
		return in + v, err
	})
	c.careful = text("Careful", func(ctx octx, in string) (string, error) {
		if !c.fits.Load() {
			return upper.Call(ctx, in)
		}
		v, err := turnstone.WaitEvent[string](ctx, "go").Await()
		if err != nil {
			return "", err
		}
		return upper.Call(ctx, in+v)
	})
	c.quarter = text("Quarter", func(ctx octx, in string) (string, error) {
		timer, early := ctx.Timer(quarterOfAYear), turnstone.WaitEvent[string](ctx, "early")
		if turnstone.Select(ctx, timer, early) == 0 {
			return in + "slept", nil
		}
		return early.Await()
	})
	c.parent = turnstone.NewOrchestration("Parent", func(ctx octx, ids []string) ([]string, error) {
		var children []*turnstone.Future[string]
		for _, id := range ids {
			children = append(children, c.waiter.Start(ctx, id+":", turnstone.WithChildID(id)))
		}
		return turnstone.Results(ctx, children...)
	})
	c.detacher = text("Detacher", func(ctx octx, in string) (string, error) {
		c.waiter.StartDetached(ctx, "detached", in)
		return "started", nil
	})
	c.busy = text("Busy", func(ctx octx, in string) (string, error) {
		first, err := upper.Call(ctx, in)
		if err != nil {
			return "", err
		}
		second, err := c.leaf.Call(ctx, in)
		if err != nil {
			return "", err
		}
		ctx.Sleep(5 * ms)
		third, err := turnstone.WaitEvent[string](ctx, "go").Await()
		return first + second + third, err
	})
}

// collectors take many events.
func (c *goldenCode) collectors() {
	c.rounds = turnstone.NewOrchestration("Rounds", func(ctx octx, n int) (string, error) {
		if n < 2 {
			if _, err := turnstone.WaitEvent[string](ctx, "round").Await(); err != nil {
				return "", err
			}
			return "", turnstone.ContinueAsNew(ctx, n+1)
		}
		all, err := turnstone.WaitEvent[string](ctx, "end").Await()
		for range 3 {
			if v, err := turnstone.WaitEvent[string](ctx, "kept").Await(); err == nil {
				all += v
			}
		}
		return all, err
	})
	c.collector = turnstone.NewOrchestration("Collector", func(ctx octx, n int) (int, error) {
		if _, err := c.hold.Call(ctx, ""); err != nil {
			return 0, err
		}
		sum := 0
		for range n {
			v, err := turnstone.WaitEvent[int](ctx, "item").Await()
			if err != nil {
				return 0, err
			}
			sum += v
		}
		return sum, nil
	})
}

func (c *goldenCode) handlers() []turnstone.Handler {
	return []turnstone.Handler{
		upper, c.fails, c.hold, c.greeter, c.second, c.breaker, c.panicker, c.waiter, c.quarter, c.naps, c.works, c.parent,
		c.detacher, c.rounds, c.collector, c.careful, c.leaf, c.busy,
	}
}
