package main

import (
	"sync/atomic"
	"time"

	"github.com/turnstone-dev/turnstone"
)

// programs are the orchestrations of the workloads; they count what the figures need.
type programs struct {
	hello *turnstone.Activity[string, string]
	one   *turnstone.Orchestration[int, string]
	seq   *turnstone.Orchestration[int, string]
	fan   *turnstone.Orchestration[int, string]
	wait  *turnstone.Orchestration[int, string]

	// waiting counts turns that came to the wait: each instance once, if it is not replayed.
	waiting atomic.Int64
	// stepTimes has the moment of each step of seq, when it is watched.
	stepTimes []time.Time
	steps     atomic.Int64
}

func newPrograms(watchSteps int) *programs {
	p := &programs{stepTimes: make([]time.Time, watchSteps)}
	p.hello = turnstone.NewActivity("hello", func(_ turnstone.ActivityContext, who string) (string, error) {
		if i := p.steps.Add(1) - 1; i < int64(len(p.stepTimes)) {
			p.stepTimes[i] = time.Now()
		}
		return "hello " + who, nil
	})
	p.one = turnstone.NewOrchestration("One", func(ctx *turnstone.Context, _ int) (string, error) {
		return p.hello.Call(ctx, "w")
	})
	p.seq = turnstone.NewOrchestration("Seq", func(ctx *turnstone.Context, n int) (out string, err error) {
		for range n {
			if out, err = p.hello.Call(ctx, "w"); err != nil {
				return "", err
			}
		}
		return out, nil
	})
	p.fan = turnstone.NewOrchestration("Fan", func(ctx *turnstone.Context, n int) (string, error) {
		all := make([]*turnstone.Future[string], n)
		for i := range all {
			all[i] = p.hello.Start(ctx, "w")
		}
		_, err := turnstone.Results(ctx, all...)
		return "ok", err
	})
	p.wait = turnstone.NewOrchestration("Wait", func(ctx *turnstone.Context, _ int) (string, error) {
		if !ctx.Replaying() {
			p.waiting.Add(1)
		}
		return turnstone.WaitEvent[string](ctx, "go").Await()
	})
	return p
}

func (p *programs) registry() (*turnstone.Registry, error) {
	r := turnstone.NewRegistry()
	return r, r.Register(p.hello, p.one, p.seq, p.fan, p.wait)
}
