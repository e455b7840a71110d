package client

import (
	"context"
	"sync"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Counts are how many instances there are, by state. Those that are held are Pending or Running, too.
type Counts struct {
	Pending, Running, Completed, Failed int
	Held                                int
}

// Counts counts the instances of the store. Each partition's numbers are exact, and cost the same however many instances
// there are; the partitions are read one beside the other, so what changes meanwhile may be in the sum or not.
func (r *Reader) Counts(ctx context.Context) (Counts, error) {
	return ask(ctx, r.reads.journal, turnstone.ErrStopped, func(done func(Counts, error)) { r.reads.Counts(done) })
}

// Counts counts the instances of the store.
func (c *reads) Counts(done func(Counts, error)) {
	viewAll(c.journal, func(_ int, r persistence.Reader) (persistence.PartitionState, error) { return r.Partition() },
		func(states []persistence.PartitionState, err error) {
			var sum Counts
			for i := range states {
				s := &states[i]
				sum.Pending += int(s.Pending)
				sum.Running += int(s.Running)
				sum.Completed += int(s.Completed)
				sum.Failed += int(s.Failed)
				sum.Held += int(s.Held)
			}
			done(sum, err)
		})
}

// viewAll reads every partition, and gives what was read of each; nothing if one cannot be read.
func viewAll[T any](j Journal, read func(partition int, r persistence.Reader) (T, error), done func([]T, error)) {
	var mu sync.Mutex
	var first error
	all := make([]T, j.Info().Partitions)
	left := len(all)
	for p := range all {
		var value T
		j.View(persistence.Partition(p), func(r persistence.Reader) (err error) {
			value, err = read(p, r)
			return err
		}, func(err error) {
			mu.Lock()
			if err == nil { // else the read may still run
				all[p] = value
			} else if first == nil {
				first = clientError(err)
			}
			left--
			last := left == 0
			mu.Unlock()
			switch {
			case !last:
			case first != nil:
				done(nil, first)
			default:
				done(all, nil)
			}
		})
	}
}
