package e2e

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// parents is how many the case below runs: TURNSTONE_PARENTS, else 2,000, and 150 with -short.
func parents(t *testing.T) int {
	if v := os.Getenv("TURNSTONE_PARENTS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			t.Fatalf("TURNSTONE_PARENTS is %q; it must be a number of parents, at least 1", v)
		}
		return n
	}
	return fullOrShort(2000, 150)
}

// F_01 parents that wait for children, far more than the residency holds: none is forgotten, and none had to be told
// twice that its child had answered.
func TestF01_parents_that_are_evicted_while_they_are_told(t *testing.T) {
	w := newWorld(t, false)
	w.ctx = t.Context() // what is left is checked instance by instance, which takes its time
	w.cfg.ResidentBytes = 4 << 20
	step := turnstone.NewActivity("Step", func(_ actx, n int) (int, error) { return n + 1, nil })
	child := turnstone.NewOrchestration("Child", func(ctx octx, n int) (int, error) {
		ctx.Sleep(20 * ms) // until more parents wait than fit
		return step.Call(ctx, n)
	})
	parent := turnstone.NewOrchestration("Parent", func(ctx octx, n int) (int, error) {
		return child.Call(ctx, n, turnstone.WithChildID(ctx.Instance()+"/child")) // in another partition, as like as not
	})
	w.open(step, child, parent)
	total := parents(t)
	numbers := make(chan int)
	var running sync.WaitGroup
	for range 1024 {
		running.Go(func() {
			for n := range numbers {
				run, err := client.Start(t.Context(), w.c, fmt.Sprint("parent-", n), parent, n)
				if err != nil {
					t.Errorf("start of parent %d: %v", n, err)
					continue
				}
				if got, err := run.Wait(t.Context()); err != nil || got != n+1 {
					t.Errorf("parent %d ends with %d, %v", n, got, err)
				}
			}
		})
	}
	for n := range total {
		numbers <- n
	}
	close(numbers)
	running.Wait()
	m := w.node.Metrics()
	if m.Retold != 0 {
		t.Errorf("%d wake-ups were lost and had to be told again", m.Retold)
	}
	t.Logf("%d parents, %d evictions, %d of them while the instance read its inbox, %d loads", total, m.Evictions,
		m.EvictedInLoad, m.Loads)
	w.finish()
}
