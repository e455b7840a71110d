package locallog

import "github.com/turnstone-dev/turnstone/internal/invariants"

// verifyMax is how many proposals are looked at; a longer queue is left alone.
const verifyMax = 1000

// verify checks that the queue and the flights count what they hold. The caller holds l.mu.
func (l *Log) verify() {
	invariants.Check(!l.mu.failed || l.mu.closed != nil && len(l.mu.queue)+len(l.mu.flights) == 0,
		"the log has failed, and has %d proposals and %d flights", len(l.mu.queue), len(l.mu.flights))
	invariants.Check(len(l.mu.queue) <= l.c.QueueMax, "%d proposals wait, the most is %d", len(l.mu.queue), l.c.QueueMax)
	if n := len(l.mu.queue); !l.mu.failed && n <= verifyMax {
		size := sizeOfEntries(l.mu.queue)
		invariants.Check(size == l.mu.queued, "%d proposals of %d bytes wait, counted are %d", n, size, l.mu.queued)
	}
	for i, f := range l.mu.flights {
		invariants.Check(len(f.entries) > 0 && len(f.entries) <= l.c.BatchCommands, "a flight of %d proposals is on its way", len(f.entries))
		invariants.Check(i == 0 || l.mu.flights[i-1] != f, "a flight is on its way twice")
		if len(f.entries) <= verifyMax {
			size := sizeOfEntries(f.entries)
			invariants.Check(size == f.size, "a flight has %d bytes, counted are %d", size, f.size)
		}
	}
}

// verifyOldest checks that flights leave in their order. The caller holds l.mu.
func (l *Log) verifyOldest(f *flight) {
	invariants.Check(len(l.mu.flights) > 0 && l.mu.flights[0] == f, "a flight is released that is not the oldest of %d", len(l.mu.flights))
}

func sizeOfEntries(entries []Entry) (size int) {
	for i := range entries {
		size += entries[i].size
	}
	return size
}
