package e2e

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// TestARefusedStartIsNowhere stops nodes while many start instances, and opens the store again: what was acknowledged
// exists, what was refused does not, and what was in doubt may do either.
func TestARefusedStartIsNowhere(t *testing.T) {
	t.Parallel()
	const starters = 300
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	sleeper := turnstone.NewOrchestration("Sleeper", func(ctx *turnstone.Context, _ int) (string, error) {
		return turnstone.WaitEvent[string](ctx, "go").Await()
	})
	w := newWorld(t, true)
	w.open(sleeper)
	var doubtful, refused int
	for round := range rounds {
		answers := make([]error, starters)
		var some, all sync.WaitGroup
		some.Add(starters / 4)
		for i := range starters {
			c := w.c
			all.Go(func() {
				if i < starters/4 {
					defer some.Done()
				}
				_, answers[i] = client.Start(w.ctx, c, fmt.Sprintf("r%d-%d", round, i), sleeper, i)
			})
		}
		if round%2 == 0 {
			some.Wait() // the others are on their way
		}
		w.crash()
		all.Wait()
		w.start()
		r, d := w.checkStarts(round, answers)
		refused, doubtful = refused+r, doubtful+d
	}
	if doubtful+refused == 0 {
		t.Error("every start was acknowledged: the nodes were not stopped in the middle of any")
	}
	t.Logf("%d of %d starts were refused, %d were in doubt", refused, rounds*starters, doubtful)
}

// checkStarts holds the answers to starts against what there is, and counts those that were refused and those in doubt.
func (w *world) checkStarts(round int, answers []error) (refused, doubtful int) {
	for i, err := range answers {
		id := fmt.Sprintf("r%d-%d", round, i)
		s, serr := w.c.Status(w.ctx, id)
		if serr != nil {
			w.t.Fatal(serr)
		}
		exists := s.State != client.StateNotFound
		switch {
		case errors.Is(err, turnstone.ErrUncertain):
			doubtful++
		case err == nil && !exists:
			w.t.Errorf("%s was acknowledged and does not exist", id)
		case err != nil:
			if refused++; exists {
				w.t.Errorf("%s exists, though its start was refused: %v", id, err)
			}
		}
	}
	return refused, doubtful
}
