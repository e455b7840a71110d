package replay_test

import (
	"testing"

	"github.com/turnstone-dev/turnstone/replay"
)

// TestF46_a_scope_cancels_what_was_started_inside_it: not what a coroutine that began before does meanwhile, also if it
// ends within the scope and leaves that behind.
func TestF46_a_scope_cancels_what_was_started_inside_it(t *testing.T) {
	leaves := func(name string) func(*replay.Context) (any, error) {
		return func(c *replay.Context) (any, error) { activity(c, name, ""); return nil, nil }
	}
	await := func(name string) func(*replay.Context) (any, error) {
		return func(c *replay.Context) (any, error) { return activity(c, name, "").Await() }
	}
	cases := map[string]struct {
		before func(*replay.Context) *replay.Future
		inside func(c *replay.Context, g *replay.Future)
		want   string
	}{
		"a coroutine of before leaves an activity": {
			func(c *replay.Context) *replay.Future { return c.Go(leaves("A")) },
			func(c *replay.Context, g *replay.Future) { activity(c, "in", ""); g.Await() },
			"S AS AS AS ACancel(2)", // in is first: the coroutine runs when the handler waits
		},
		"a coroutine of before waits for an activity": {
			func(c *replay.Context) *replay.Future { return c.Go(await("A")) },
			func(c *replay.Context, _ *replay.Future) { c.Go(leaves("in")).Await() },
			"S AS AS AS ACancel(3)",
		},
		"what a coroutine of a coroutine of before leaves": {
			func(c *replay.Context) *replay.Future {
				return c.Go(func(c *replay.Context) (any, error) { return c.Go(leaves("A")).Await() })
			},
			func(_ *replay.Context, g *replay.Future) { g.Await() },
			"S AS AS",
		},
		"what a coroutine leaves whose own starter ended in the scope": {
			func(c *replay.Context) *replay.Future {
				return c.Go(func(c *replay.Context) (any, error) { c.Go(leaves("A")); return nil, nil })
			},
			func(c *replay.Context, g *replay.Future) { g.Await(); c.Go(leaves("in")).Await() },
			"S AS AS AS ACancel(3)",
		},
		"a coroutine of the scope leaves an activity": {
			func(*replay.Context) *replay.Future { return nil },
			func(c *replay.Context, _ *replay.Future) { c.Go(leaves("in")).Await() },
			"S AS AS ACancel(2)",
		},
		"a scope within the scope": {
			func(c *replay.Context) *replay.Future { return c.Go(leaves("A")) },
			func(c *replay.Context, g *replay.Future) {
				activity(c, "out", "")
				_ = c.Scope(func(c *replay.Context) error { activity(c, "in", ""); g.Await(); return nil })
			},
			"S AS AS AS AS ACancel(2) ACancel(3)",
		},
	}
	for name, k := range cases {
		t.Run(name, func(t *testing.T) {
			s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
				g := k.before(c)
				_ = c.Scope(func(c *replay.Context) error { k.inside(c, g); return nil })
				activity(c, "after", "").Await()
				return nil, nil
			})
			d := s.turn(msgStart())
			wantRunning(t, d)
			wantKinds(t, d, k.want)
		})
	}
}
