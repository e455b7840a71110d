package locallog

import "github.com/turnstone-dev/turnstone/persistence"

// Core is the state that a log drives. A method returns false if the core has failed; Failed is closed then, and the core
// does nothing any more.
type Core interface {
	// NewBatch makes a batch, which the log reuses.
	NewBatch() Batch
	// SyncAll makes all committed batches durable. It is for a log without goroutines.
	SyncAll() bool
	// Failed is closed when the core has failed; Failure then returns the error. Both may be called before the core has its
	// database.
	Failed() <-chan struct{}
	Failure() error
	// Sound reports whether the core has not failed. It may return false a moment before Failed is closed.
	Sound() bool
}

// Batch is a run of commands that become durable together. One goroutine calls Begin, Apply and Commit, and has one batch
// at a time; another one calls Sync, Release and Close, in the order of the commits.
type Batch interface {
	// Begin opens the batch, empty.
	Begin()
	// Apply gives each command the next index of its partition, and applies it.
	Apply(entries []Entry)
	// Commit makes the batch visible to reads, but not durable.
	Commit() bool
	// Sync waits until the batch is durable.
	Sync() bool
	// Release publishes the batch: effects before results, in index order, then the reads that wait for it.
	Release()
	// Close ends the batch: after Release, or instead of Commit if nothing was applied.
	Close() bool
}

// Entry is one proposal on its way through the log.
type Entry struct {
	Partition persistence.Partition
	Proposal  persistence.Proposal
	size      int
}

// flight is a batch on its way to the disk: the driver fills it, then it is synced and released.
type flight struct {
	// entries are appended under Log.mu, by the driver only.
	entries []Entry
	// size is the sum of the entries' sizes.
	size  int
	batch Batch
}
