package pebble

import "github.com/turnstone-dev/turnstone/persistence"

// Metrics are counters since the store was opened.
type Metrics struct {
	// Commands counts applied commands, Batches their batches, and Syncs the syncs of these.
	Commands uint64
	Batches  uint64
	Syncs    uint64
	// Refused counts refusals by persistence.Code.
	Refused [persistence.Codes]uint64
	// Iterators, IterSteps and InternalSteps count opened iterators of Pebble, this package's moves of them, and Pebble's own
	// moves below (including those over tombstones). Gets counts point reads by Apply.
	Iterators, IterSteps, InternalSteps, Gets uint64
	// Views and Loads count served reads.
	Views, Loads uint64
	// Queued is how many proposals wait now.
	Queued int
}

// Metrics returns the store's counters.
func (s *Store) Metrics() Metrics {
	c := &s.core.stats
	m := Metrics{
		Commands: c.commands.Load(), Batches: c.batches.Load(), Syncs: c.syncs.Load(),
		Iterators: c.iterators.Load(), IterSteps: c.iterSteps.Load(), InternalSteps: c.internalSteps.Load(),
		Gets: c.gets.Load(), Views: c.views.Load(), Loads: c.loads.Load(), Queued: s.log.Queued(),
	}
	for i := range m.Refused {
		m.Refused[i] = c.refused[i].Load()
	}
	return m
}
