package e2e

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// leastValue is the least that an option takes.
type leastValue struct {
	row    string
	least  int64
	most   int64 // 0: as long as a duration can be
	panics bool
	// try gives the option a value, in nanoseconds if it is a duration. The error is that of the refusal.
	try func(w *world, n int64) error
}

const longest = time.Duration(math.MaxInt64)

var leastValues = []leastValue{
	{"attempts of `NewRetryPolicy", 1, 0, true, policy(func(n int64) { turnstone.NewRetryPolicy(int(n)) })},
	{"WithTotalTime", 1, 0, true, policy(func(n int64) { turnstone.NewRetryPolicy(1).WithTotalTime(time.Duration(n)) })},
	{"WithRaceTimeout", 0, 0, true, policy(func(n int64) { turnstone.NewRetryPolicy(1).WithRaceTimeout(time.Duration(n)) })},
	{"FixedBackoff", 0, 0, true, policy(func(n int64) { turnstone.FixedBackoff(time.Duration(n)).Delay(9) })},
	{"base of `LinearBackoff", 0, 0, true, policy(func(n int64) { turnstone.LinearBackoff(time.Duration(n), 0).Delay(9) })},
	{"max of `LinearBackoff", 0, 0, true, policy(func(n int64) { turnstone.LinearBackoff(1, time.Duration(n)).Delay(9) })},
	{"base of `ExponentialBackoff", 0, 0, true, policy(func(n int64) { turnstone.ExponentialBackoff(time.Duration(n), 2, 0).Delay(9) })},
	{"max of `ExponentialBackoff", 0, 0, true, policy(func(n int64) { turnstone.ExponentialBackoff(1, 2, time.Duration(n)).Delay(9) })},
	{"multiplier of `ExponentialBackoff", 1, 0, true, policy(func(n int64) { turnstone.ExponentialBackoff(1, float64(n), 0).Delay(9) })},
	{"WithJitter", 0, 1, true, policy(func(n int64) { turnstone.NoBackoff().WithJitter(float64(n)) })},
	{"StartToClose", 1, 0, false, timeout(turnstone.StartToClose)},
	{"ScheduleToStart", 1, 0, false, timeout(turnstone.ScheduleToStart)},
	{"ScheduleToClose", 1, 0, false, timeout(turnstone.ScheduleToClose)},
	{"HeartbeatTimeout", 1, 0, false, timeout(turnstone.HeartbeatTimeout)},
	{"turnstone.WithStartDelay", 0, 0, false, childLife(func(d time.Duration) turnstone.ChildOption { return turnstone.WithStartDelay(d) })},
	{"turnstone.WithExecutionTimeout", 0, 0, false, childLife(func(d time.Duration) turnstone.ChildOption { return turnstone.WithExecutionTimeout(d) })},
	{"client.WithStartDelay", 0, 0, false, startedWith(client.WithStartDelay)},
	{"client.WithExecutionTimeout", 0, 0, false, startedWith(client.WithExecutionTimeout)},
	{"ListRequest.Max", 0, 0, false, func(w *world, n int64) error {
		_, err := w.c.List(w.ctx, client.ListRequest{Max: int(n)})
		return err
	}},
	{"ctx.Timer", 0, 0, false, inCode(timer)},
	{"time that a `Wait` has left", 1, 0, false, waitLeft},
}

// policy is an option that panics.
func policy(make func(n int64)) func(*world, int64) error {
	return func(_ *world, n int64) (err error) {
		defer func() {
			if text := recover(); text != nil {
				err = fmt.Errorf("%w: %v", errPanic, text)
			}
		}()
		make(n)
		return nil
	}
}

var errPanic = errors.New("it panics")

// inCode is an option of code: the orchestration gives it, and tells whether it was refused.
func inCode(give func(ctx octx, d time.Duration) error) func(*world, int64) error {
	return func(w *world, n int64) error {
		o := turnstone.NewOrchestration(fmt.Sprint("O", n), func(ctx octx, _ string) (string, error) {
			err := give(ctx, time.Duration(n))
			if errors.Is(err, turnstone.ErrInvalidInput) {
				return err.Error(), nil
			}
			if errors.Is(err, turnstone.ErrTimeout) || errors.Is(err, turnstone.ErrExecutionTimeout) {
				err = nil // it was taken, and is short
			}
			return "", err
		})
		if err := w.registry.Register(o); err != nil {
			return err
		}
		begin(w, o, fmt.Sprint("i", n), "")
		if refusal := result[string](w, fmt.Sprint("i", n)); refusal != "" {
			return fmt.Errorf("%w: %s", turnstone.ErrInvalidInput, refusal)
		}
		return nil
	}
}

func timeout(option func(time.Duration) turnstone.TimeoutOption) func(*world, int64) error {
	return inCode(func(ctx octx, d time.Duration) error {
		_, err := upper.Call(ctx, "x", option(d))
		return err
	})
}

// childLife gives a child an option. One that would begin or end in 292 years is given up.
func childLife(option func(time.Duration) turnstone.ChildOption) func(*world, int64) error {
	return inCode(func(ctx octx, d time.Duration) error {
		f := ctx.StartChild("Child", nil, option(d))
		if turnstone.Race(ctx, f, ctx.Timer(20*ms)) == 0 {
			return f.Err()
		}
		return nil
	})
}

// startedWith gives a start an option. The instance is cancelled, if it has not ended.
func startedWith(option func(time.Duration) client.StartOption) func(*world, int64) error {
	return func(w *world, n int64) error {
		id := fmt.Sprint("i", n)
		if _, err := w.c.Start(w.ctx, id, "Asked", nil, option(time.Duration(n))); err != nil {
			if _, missing := w.c.Describe(w.ctx, id); !errors.Is(missing, turnstone.ErrInstanceNotFound) {
				return fmt.Errorf("it was started, and %w", err)
			}
			return err
		}
		if err := w.c.Cancel(w.ctx, id, "enough"); err != nil && !errors.Is(err, turnstone.ErrInstanceEnded) {
			return err
		}
		w.end(id)
		return nil
	}
}

// timer makes a timer; the longest one is given up.
func timer(ctx octx, d time.Duration) error {
	far := ctx.Timer(d)
	if d == longest {
		return started(ctx, far)
	}
	return far.Err()
}

// waitLeft waits for an instance that has ended; n is in hours.
func waitLeft(w *world, n int64) error {
	id := fmt.Sprint("i", n)
	begin(w, asked, id, nil)
	w.raise(id, "go", "ok")
	completes(w, id, "ok")
	ctx, cancel := context.WithTimeout(w.ctx, time.Duration(min(n, 3))*time.Hour)
	defer cancel()
	_, err := w.c.Wait(ctx, id)
	return err
}

// TestLeastValues gives each option below, at and above the least that it takes, and the most.
func TestLeastValues(t *testing.T) {
	for _, c := range leastValues {
		scenario(t, c.row, func(w *world) {
			w.reopened, w.verified = true, true
			w.open(upper, asked, named("Child"))
			most := c.most
			if most == 0 {
				most = int64(longest)
			} else if err := c.try(w, most+1); !errors.Is(err, c.refusal()) {
				t.Errorf("one above the most: %v", err)
			}
			if err := c.try(w, c.least-1); !errors.Is(err, c.refusal()) {
				t.Errorf("one below the least: %v, want %v", err, c.refusal())
			}
			for _, n := range []int64{c.least, c.least + 1, most} {
				if err := c.try(w, n); err != nil && n <= most {
					t.Errorf("%d, at least %d: %v", n, c.least, err)
				}
			}
		})
	}
}

// refusal is what a value below the least meets, by docs/limits.md.
func (c *leastValue) refusal() error {
	switch c.row {
	case "ctx.Timer":
		return nil
	case "time that a `Wait` has left":
		return turnstone.ErrTimeout
	}
	if c.panics {
		return errPanic
	}
	return turnstone.ErrInvalidInput
}

// Instances whose times are as long as a duration can be live on over a crash, take events, and end.
func TestTheLongestTimes(t *testing.T) {
	scenario(t, "longest", func(w *world) {
		w.reopened = true
		o := text("O", func(ctx octx, _ string) (string, error) {
			f := ctx.WaitEvent("go")
			turnstone.Race(ctx, f, ctx.Timer(longest), ctx.StartChild("Child", nil, turnstone.WithStartDelay(longest)))
			return "ok", nil
		})
		w.open(o, asked, named("Child"))
		if _, err := w.c.Start(w.ctx, "bounded", "O", []byte(`""`), client.WithExecutionTimeout(longest)); err != nil {
			t.Fatal(err)
		}
		w.untilRunning("bounded")
		if _, err := w.c.Start(w.ctx, "delayed", "Asked", nil, client.WithStartDelay(longest), client.WithExecutionTimeout(longest)); err != nil {
			t.Fatal(err)
		}
		w.restart()
		if d := w.describe("delayed"); d.State != client.StatePending {
			t.Errorf("the delayed one is %+v", d)
		}
		w.raise("delayed", "go", "early")
		w.cancel("delayed", "enough")
		w.cancelled("delayed", "enough")
		w.raise("bounded", "go", "")
		completes(w, "bounded", "ok")
	})
}
