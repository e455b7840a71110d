package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/client"
)

// w5 asks whether a step costs more when 20,000 are behind it than when 1,000 are. The speed of a machine changes within
// seconds, and the first steps of a process pay for what later ones find warm. So the long execution stops a window
// before its end, a fresh one goes to half a window, and then the two go on in turns: each pair of turns is measured in
// the same tenth of a second.
const (
	window = 1000 // steps of each that are compared
	turns  = 20   // that each takes for its window

	idLong, idFresh = "w5", "w5-fresh"
)

// walk lets the steps of one execution take place when it is told to, and sees when they have. An execution has one
// step at a time.
type walk struct {
	allowed int           // by the last word; only the step that runs has it
	arrived chan struct{} // a step that is not allowed has begun
	more    chan int      // how many steps may take place, beginning with the one that waits
	ended   chan error    // the execution has ended
}

func newWalk() *walk {
	return &walk{arrived: make(chan struct{}, 1), more: make(chan int), ended: make(chan error, 1)}
}

// step is the body of a step.
func (w *walk) step(ctx context.Context) error {
	if w.allowed == 0 {
		w.arrived <- struct{}{}
		select {
		case w.allowed = <-w.more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.allowed--
	return nil
}

// begin starts an execution of n steps and comes back when the first one waits.
func (b *bench) begin(ctx context.Context, id string, n int) (*walk, error) {
	w := b.programs.walks[id]
	run, err := client.Start(ctx, b.client, id, b.programs.paced, n)
	if err != nil {
		return nil, err
	}
	go func() {
		_, err := run.Wait(ctx)
		w.ended <- err
	}()
	return w, w.await(ctx)
}

// await comes back when a step waits.
func (w *walk) await(ctx context.Context) error {
	select {
	case <-w.arrived:
		return nil
	case err := <-w.ended:
		return errors.Join(errors.New("the execution ended too early"), err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// on lets n steps take place and comes back when the step after them waits, with the time that they took.
func (w *walk) on(ctx context.Context, n int) (time.Duration, error) {
	start := time.Now()
	if err := w.let(ctx, n); err != nil {
		return 0, err
	}
	err := w.await(ctx)
	return time.Since(start), err
}

// last lets the step that waits take place, which is the last one, and comes back when the execution has ended.
func (w *walk) last(ctx context.Context) error {
	if err := w.let(ctx, 1); err != nil {
		return err
	}
	return <-w.ended
}

func (w *walk) let(ctx context.Context, n int) error {
	select {
	case w.more <- n:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// runSteps is one execution of n steps in a row, compared with a fresh one if it is long enough.
func runSteps(ctx context.Context, b *bench) error {
	n := b.line.N
	if n <= 2*b.window {
		return b.timed(func() error {
			run, err := client.Start(ctx, b.client, idLong, b.programs.seq, n)
			if err != nil {
				return err
			}
			_, err = run.Wait(ctx)
			return err
		})
	}
	var long *walk
	err := b.timed(func() (err error) {
		if long, err = b.begin(ctx, idLong, n); err == nil {
			_, err = long.on(ctx, n-1-b.window)
		}
		return err
	})
	if err != nil {
		return err
	}
	fresh, err := b.begin(ctx, idFresh, b.window*3/2+1)
	if err != nil {
		return err
	}
	if _, err := fresh.on(ctx, b.window/2); err != nil {
		return err
	}
	if err := b.turnabout(ctx, long, fresh); err != nil {
		return err
	}
	return errors.Join(b.timed(func() error { return long.last(ctx) }), fresh.last(ctx))
}

// turnabout has the two take turns through their windows, and compares.
func (b *bench) turnabout(ctx context.Context, long, fresh *walk) error {
	each := b.window / turns
	times := map[*walk][]float64{}
	one := func(w *walk) error {
		took, err := w.on(ctx, each)
		times[w] = append(times[w], took.Seconds()*1e6/float64(each))
		return err
	}
	ofLong := func() error { return b.timed(func() error { return one(long) }) }
	ofFresh := func() error { return one(fresh) }
	for i := range turns {
		first, second := ofFresh, ofLong
		if i%2 == 1 { // neither is always the first
			first, second = second, first
		}
		if err := first(); err != nil {
			return fmt.Errorf("turn %d: %w", i, err)
		}
		if err := second(); err != nil {
			return fmt.Errorf("turn %d: %w", i, err)
		}
	}
	l := &b.line
	var ratios []float64
	var sumLong, sumFresh float64
	for i, t := range times[long] {
		ratios = append(ratios, t/times[fresh][i])
		sumLong, sumFresh = sumLong+t, sumFresh+times[fresh][i]
	}
	l.StepUs1000, l.StepUsLast = middle(times[fresh]), middle(times[long])
	l.StepRatio, l.StepMeanRatio = middle(ratios), sumLong/sumFresh
	return nil
}
