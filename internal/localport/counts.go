package localport

import (
	"sync"

	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Count implements api.Reader. Each partition stores its numbers, so the cost does not grow with the instances.
func (r *Reader) Count(_ api.CountRequest, done func(api.Counts, error)) {
	viewAll(r.journal, func(_ int, r persistence.Reader) (persistence.PartitionState, error) { return r.Partition() },
		func(states []persistence.PartitionState, err error) {
			var sum api.Counts
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

// viewAll reads every partition and returns the results of all; none if one cannot be read.
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
				first = answerError(err)
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
