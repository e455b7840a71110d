//go:build !race

// The race detector's own memory would be measured.

package replay_test

import (
	"runtime"
	"testing"

	"github.com/turnstone-dev/turnstone/replay"
)

// used is what the process holds: live heap and stacks.
func used() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc + s.StackInuse
}

// TestMemoryEstimate measures parked instances: the estimate that residency goes by must be near, and an instance
// that waits must cost a few kilobytes.
func TestMemoryEstimate(t *testing.T) {
	cases := []struct { // in this order: the stacks that one case leaves are used by the next
		name string
		n    int
		fn   replay.Func
		most uint64 // bytes an instance may take; 0: not bounded here
	}{
		{"one wait", 5_000, waits("E"), 7_200},
		{"100 activities", 500, func(c *replay.Context, _ []byte) ([]byte, error) {
			fs := make([]*replay.Future, 100)
			for i := range fs {
				fs[i] = activity(c, "A", "in")
			}
			c.All(fs...)
			return nil, nil
		}, 0},
		{"100 coroutines", 200, func(c *replay.Context, _ []byte) ([]byte, error) {
			fs := make([]*replay.Future, 100)
			for i := range fs {
				fs[i] = c.Go(func(c *replay.Context) (any, error) { return c.WaitEvent("E", buffered).Await() })
			}
			c.All(fs...)
			return nil, nil
		}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(c.fn)
			before := used()
			all := make([]*replay.Machine, c.n)
			estimate := 0
			for i := range all {
				all[i] = replay.New(cfg)
				all[i].Advance(input(msgStart()))
				estimate = all[i].MemoryBytes()
			}
			each := (used() - before) / uint64(c.n)
			t.Logf("measured %d bytes an instance, estimated %d", each, estimate)
			if uint64(estimate) < each/2 || uint64(estimate) > each*2 {
				t.Errorf("measured %d bytes an instance, estimated %d", each, estimate)
			}
			if c.most > 0 && each > c.most {
				t.Errorf("an instance takes %d bytes, more than %d", each, c.most)
			}
			for _, m := range all {
				m.Close()
			}
		})
	}
}
