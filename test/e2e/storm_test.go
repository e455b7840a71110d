package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// Many instances of a flow that has a bit of everything, while the node is killed again and again. What was
// acknowledged is there afterwards, everything ends with the right result, and every event and result counts once.
func TestStorm(t *testing.T) {
	instances, crashes := fullOrShort(40, 16), fullOrShort(6, 3)
	scenario(t, "storm", func(w *world) {
		runs := newTally()
		step := turnstone.NewActivity("Step", func(_ actx, n int) (int, error) {
			runs.add("step")
			return n + 1, nil
		})
		flaky := turnstone.NewActivity("Flaky", func(c actx, n int) (int, error) {
			if runs.add("flaky "+c.Info().Instance) == 1 && n%3 == 0 {
				return 0, errors.New("the first time fails")
			}
			return n + 10, nil
		})
		child := turnstone.NewOrchestration("Child", func(ctx octx, n int) (int, error) {
			ctx.Sleep(ms)
			return step.Call(ctx, n)
		})
		policy := turnstone.WithRetry(turnstone.NewRetryPolicy(8).WithBackoff(turnstone.FixedBackoff(2 * ms)))
		flow := turnstone.NewOrchestration("Flow", func(ctx octx, n int) (int, error) {
			if ctx.Execution() == 1 {
				got, err := turnstone.WaitEvent[int](ctx, "go").Await()
				if err != nil {
					return 0, err
				}
				a, b := step.Start(ctx, got), flaky.Start(ctx, got, policy)
				all, err := turnstone.Results(ctx, a, b)
				if err != nil {
					return 0, err
				}
				return 0, turnstone.ContinueAsNew(ctx, all[0]+all[1])
			}
			c := child.Start(ctx, n, turnstone.WithChildID(ctx.Instance()+"/child")) // in another partition, as like as not
			d := child.Start(ctx, 1000)
			lost := turnstone.WaitEvent[int](ctx, "never")
			if turnstone.Race(ctx, c, lost) != 0 {
				return 0, errors.New("the child lost")
			}
			all, err := turnstone.Results(ctx, c, d)
			return all[0] + all[1], err
		})
		w.cfg.MaxAttempts = 100
		w.open(step, flaky, child, flow)
		dice := rand.New(rand.NewPCG(7, uint64(len(t.Name()))))
		var group sync.WaitGroup
		for i := range instances {
			group.Add(1)
			go func() {
				defer group.Done()
				w.persist(func(ctx context.Context, c *client.Client) error {
					_, err := client.Start(ctx, c, fmt.Sprint("i", i), flow, 0, client.WithRequestKey("start"))
					return err
				})
				w.persist(func(ctx context.Context, c *client.Client) error {
					return client.Raise(ctx, c, fmt.Sprint("i", i), "go", i, client.WithRequestKey("go"))
				})
			}()
		}
		for range crashes {
			seen := runs.of("step") + 1 + dice.IntN(instances/2)
			w.until("some progress", func() bool { return runs.of("step") >= seen || w.done(instances) })
			w.replace()
		}
		group.Wait()
		for i := range instances {
			id := fmt.Sprint("i", i)
			completes(w, id, (i+1)+(i+10)+1+1001)
			if n := w.history(id, 1).count("ExternalEvent"); n != 1 {
				t.Errorf("%s took %d events", id, n)
			}
		}
		t.Logf("%d runs of Step for %d results", runs.of("step"), 3*instances)
	})
}

// done reports whether all flows have ended.
func (w *world) done(n int) bool {
	page, err := w.c.List(w.ctx, client.ListRequest{States: []client.State{client.StateCompleted}, Max: 1000})
	return err == nil && len(page.Instances) >= 3*n
}

// replace crashes the node and opens it again, while others use it.
func (w *world) replace() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.restart()
}

// persist repeats a request, which carries a key, until it is answered for certain.
func (w *world) persist(request func(ctx context.Context, c *client.Client) error) {
	for {
		w.mu.Lock()
		c := w.c
		w.mu.Unlock()
		err := request(w.ctx, c)
		switch {
		case err == nil:
			return
		case errors.Is(err, turnstone.ErrUncertain), errors.Is(err, turnstone.ErrBusy), errors.Is(err, turnstone.ErrStopped):
		default:
			w.t.Errorf("a request was answered with %v", err)
			return
		}
		if w.ctx.Err() != nil {
			w.t.Error("it was never answered")
			return
		}
	}
}
