package pebble

import (
	"slices"
	"sync"

	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
)

// durableIndexes has the durable index of each partition, and the calls that wait for a higher one.
type durableIndexes struct {
	mu      sync.Mutex
	index   []uint64 // by partition; only rises
	waiters [][]waiter
	failed  error
}

type waiter struct {
	index uint64
	done  func(error)
}

func newDurableIndexes(index []uint64) *durableIndexes {
	return &durableIndexes{index: index, waiters: make([][]waiter, len(index))}
}

// raise sets the durable indexes of partitions; 0 leaves one as it is. It calls no waiter: wake does.
func (d *durableIndexes) raise(reached []uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if invariants.Enabled {
		d.verifyRise(reached)
	}
	for p, index := range reached {
		d.index[p] = max(d.index[p], index)
	}
}

// wake calls the waiters whose index is durable now.
func (d *durableIndexes) wake() {
	d.mu.Lock()
	var ready []waiter
	for p, waiting := range d.waiters {
		if len(waiting) == 0 {
			continue
		}
		rest := waiting[:0]
		for _, w := range waiting {
			if w.index <= d.index[p] {
				ready = append(ready, w)
			} else {
				rest = append(rest, w)
			}
		}
		clear(waiting[len(rest):])
		d.waiters[p] = rest
	}
	d.mu.Unlock()
	for _, w := range ready {
		w.done(nil)
	}
}

// when calls done when the index is durable: at once if it is already, and with an error if it never will be.
func (d *durableIndexes) when(p persistence.Partition, index uint64, done func(error)) {
	d.mu.Lock()
	err := d.failed
	if err == nil && d.index[p] < index {
		d.waiters[p] = append(d.waiters[p], waiter{index: index, done: done})
		d.mu.Unlock()
		return
	}
	d.mu.Unlock()
	done(err)
}

// fail calls all waiters with an error.
func (d *durableIndexes) fail(err error) {
	d.mu.Lock()
	d.failed = err
	var all []waiter
	for p := range d.waiters {
		all = append(all, d.waiters[p]...)
		d.waiters[p] = nil
	}
	d.mu.Unlock()
	for _, w := range all {
		w.done(err)
	}
}

// forget drops all waiters without a call.
func (d *durableIndexes) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed = errDropped
	clear(d.waiters)
}

// snapshot returns the durable index of each partition.
func (d *durableIndexes) snapshot() []uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.index)
}
