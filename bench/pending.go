package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// w8 asks whether n pending activities take longer after a restart than before it. An instance schedules them all, and
// they wait until all are written; then they are let go at once, or the node is closed and opened again and they are let
// go there. The two are measured in turns.
const pendingPairs = 5

// newHeld is an activity that waits for its gate.
func (p *programs) newHeld() *turnstone.Activity[string, string] {
	return turnstone.NewActivity("held", func(ctx turnstone.ActivityContext, who string) (string, error) {
		gate := p.gate.Load()
		select {
		case gate.begun <- struct{}{}:
		default:
		}
		select {
		case <-gate.open:
			return "hello " + who, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	})
}

// gate holds activities back.
type gate struct {
	begun chan struct{} // one has come
	open  chan struct{} // closed: they may go
}

func (p *programs) newGate() *gate {
	g := &gate{begun: make(chan struct{}, 1), open: make(chan struct{})}
	p.gate.Store(g)
	return g
}

// pend starts an instance and comes back when its activities are pending and one has begun.
func (b *bench) pend(ctx context.Context, id string) (*client.Run[string], *gate, error) {
	g := b.programs.newGate()
	run, err := client.Start(ctx, b.client, id, b.programs.heldFan, b.line.N)
	if err != nil {
		return run, g, err
	}
	select {
	case <-g.begun:
		return run, g, nil
	case <-ctx.Done():
		return run, g, fmt.Errorf("no activity has begun: %w", ctx.Err())
	}
}

// runPending compares the two.
func runPending(ctx context.Context, b *bench) error {
	var before, after, ratios []float64
	finish := func(run *client.Run[string]) (s float64, err error) {
		start := time.Now()
		err = b.timed(func() error {
			_, err := run.Wait(ctx)
			return err
		})
		return time.Since(start).Seconds(), err
	}
	for i := range pendingPairs {
		run, g, err := b.pend(ctx, fmt.Sprint("w8-", i))
		if err != nil {
			return err
		}
		close(g.open)
		s, err := finish(run)
		if err != nil {
			return err
		}
		before = append(before, s)
		id := fmt.Sprint("w8-again-", i)
		if _, g, err = b.pend(ctx, id); err != nil {
			return err
		}
		if err := errors.Join(b.close(ctx), b.open(ctx)); err != nil {
			return err
		}
		close(g.open)
		if s, err = finish(client.Attach[string](b.client, id)); err != nil {
			return err
		}
		after = append(after, s)
		ratios = append(ratios, after[i]/before[i])
	}
	l := &b.line
	l.PendingS, l.PendingAgainS, l.PendingRatio = middle(before), middle(after), middle(ratios)
	return nil
}
