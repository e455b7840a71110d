package pebble

import (
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/persistence"
)

// counters count what the core has done since it was opened; see [Metrics].
type counters struct {
	commands, batches, syncs                  atomic.Uint64
	refused                                   [persistence.Codes]atomic.Uint64
	iterators, iterSteps, internalSteps, gets atomic.Uint64
	views, loads                              atomic.Uint64
}
