package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// w7 asks whether a round of "take one event, continue as new" costs more when 8,000 events of 4 KiB wait than when 100 do.
// Two instances take their rounds in turns, each pair of turns in the same part of a second; before a pair both get as many
// events as they will take.
const (
	fewWaiting  = 100
	roundPairs  = 20
	roundsEach  = 50 // of a turn
	roundsBytes = 4 << 10

	idFew, idMany = "w7-few", "w7"
)

// newRounds is the program. Input is how many rounds are left of a turn; when none is, it says so and waits for the next.
func (p *programs) newRounds() *turnstone.Orchestration[int, string] {
	return turnstone.NewOrchestration("Rounds", func(ctx *turnstone.Context, left int) (string, error) {
		if left == 0 {
			if !ctx.Replaying() {
				p.rested[ctx.Instance()] <- struct{}{}
			}
			var err error
			if left, err = turnstone.WaitEvent[int](ctx, "go").Await(); err != nil {
				return "", err
			}
		}
		if _, err := turnstone.WaitEvent[string](ctx, "next").Await(); err != nil {
			return "", err
		}
		return "", turnstone.ContinueAsNew(ctx, left-1)
	})
}

// raiseAll raises n events of so many bytes.
func (b *bench) raiseAll(ctx context.Context, id string, n, size int) error {
	text := strings.Repeat("x", size)
	return parallel(n, b.line.InFlight, func(int) error { return client.Raise(ctx, b.client, id, "next", text) })
}

// rest comes back when an instance has no round left.
func (b *bench) rest(ctx context.Context, id string) error {
	select {
	case <-b.programs.rested[id]:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s has not come to rest: %w", id, ctx.Err())
	}
}

// someRounds has an instance take a turn, and returns what a round of it took, in microseconds.
func (b *bench) someRounds(ctx context.Context, id string) (float64, error) {
	start := time.Now()
	if err := client.Raise(ctx, b.client, id, "go", roundsEach); err != nil {
		return 0, err
	}
	err := b.rest(ctx, id)
	return time.Since(start).Seconds() * 1e6 / roundsEach, err
}

// runRounds compares the two.
func runRounds(ctx context.Context, b *bench) error {
	for id, n := range map[string]int{idFew: fewWaiting, idMany: b.line.N} {
		if _, err := client.Start(ctx, b.client, id, b.programs.rounds, 0); err != nil {
			return err
		}
		if err := b.rest(ctx, id); err != nil {
			return err
		}
		if err := b.raiseAll(ctx, id, n, roundsBytes); err != nil {
			return err
		}
	}
	times := map[string][]float64{}
	var ratios []float64
	for i := range roundPairs {
		pair := []string{idFew, idMany}
		if i%2 == 1 { // neither is always the first
			pair[0], pair[1] = pair[1], pair[0]
		}
		for _, id := range pair {
			if err := b.raiseAll(ctx, id, roundsEach, roundsBytes); err != nil {
				return err
			}
		}
		for _, id := range pair {
			err := b.timed(func() error {
				took, err := b.someRounds(ctx, id)
				times[id] = append(times[id], took)
				return err
			})
			if err != nil {
				return err
			}
		}
		ratios = append(ratios, times[idMany][i]/times[idFew][i])
	}
	l := &b.line
	l.RoundUsFew, l.RoundUsMany, l.RoundRatio = middle(times[idFew]), middle(times[idMany]), middle(ratios)
	return nil
}
