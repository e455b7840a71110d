package main

import (
	"sync/atomic"

	"github.com/turnstone-dev/turnstone"
)

// programs are the orchestrations of the workloads; they count what the figures need.
type programs struct {
	hello *turnstone.Activity[string, string]
	step  *turnstone.Activity[string, string]
	one   *turnstone.Orchestration[int, string]
	seq   *turnstone.Orchestration[int, string]
	fan   *turnstone.Orchestration[int, string]
	wait  *turnstone.Orchestration[int, string]

	// paced is seq with steps that take place only when its walk lets them.
	paced *turnstone.Orchestration[int, string]
	walks map[string]*walk

	// rounds is of w7; rested says that one of its two instances has no round left.
	rounds *turnstone.Orchestration[int, string]
	rested map[string]chan struct{}

	// drain is of w9.
	drain *turnstone.Orchestration[int, string]

	// heldFan is fan with the activities of w8, and gate what holds them back.
	heldFan *turnstone.Orchestration[int, string]
	held    *turnstone.Activity[string, string]
	gate    atomic.Pointer[gate]

	// waiting counts turns that came to the wait: each instance once, if it is not replayed.
	waiting atomic.Int64
}

func newPrograms() *programs {
	p := &programs{
		walks:  map[string]*walk{idLong: newWalk(), idFresh: newWalk()},
		rested: map[string]chan struct{}{idFew: make(chan struct{}, 1), idMany: make(chan struct{}, 1)},
	}
	p.rounds, p.drain = p.newRounds(), p.newDrain()
	p.held = p.newHeld()
	p.heldFan = fanOf("HeldFan", p.held)
	p.hello = turnstone.NewActivity("hello", func(_ turnstone.ActivityContext, who string) (string, error) {
		return "hello " + who, nil
	})
	p.step = turnstone.NewActivity("step", func(ctx turnstone.ActivityContext, who string) (string, error) {
		return "hello " + who, p.walks[ctx.Info().Instance].step(ctx)
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
	p.paced = turnstone.NewOrchestration("Paced", func(ctx *turnstone.Context, n int) (out string, err error) {
		for range n {
			if out, err = p.step.Call(ctx, "w"); err != nil {
				return "", err
			}
		}
		return out, nil
	})
	p.fan = fanOf("Fan", p.hello)
	p.wait = turnstone.NewOrchestration("Wait", func(ctx *turnstone.Context, _ int) (string, error) {
		if !ctx.Replaying() {
			p.waiting.Add(1)
		}
		return turnstone.WaitEvent[string](ctx, "go").Await()
	})
	return p
}

// fanOf is an orchestration that runs n activities at once.
func fanOf(name string, activity *turnstone.Activity[string, string]) *turnstone.Orchestration[int, string] {
	return turnstone.NewOrchestration(name, func(ctx *turnstone.Context, n int) (string, error) {
		all := make([]*turnstone.Future[string], n)
		for i := range all {
			all[i] = activity.Start(ctx, "w")
		}
		_, err := turnstone.Results(ctx, all...)
		return "ok", err
	})
}

func (p *programs) registry() (*turnstone.Registry, error) {
	r := turnstone.NewRegistry()
	return r, r.Register(p.hello, p.step, p.one, p.seq, p.paced, p.fan, p.wait, p.rounds, p.drain, p.held, p.heldFan)
}
