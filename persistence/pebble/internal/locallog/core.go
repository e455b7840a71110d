package locallog

import "github.com/turnstone-dev/turnstone/persistence"

// Core is the state that a log drives. A false answer means that the core has failed, as Failed says, and does nothing
// any more.
type Core interface {
	// NewBatch makes a batch, which is used again and again.
	NewBatch() Batch
	// SyncAll makes all committed batches durable. It is for a log without goroutines.
	SyncAll() bool
	// Failed is closed when the core has failed; Failure then says why. Both are there before the core is.
	Failed() <-chan struct{}
	Failure() error
	// Sound reports whether nothing has failed yet. It may say no a moment before Failed is closed.
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
	// Release lets out what the batch did: effects before results, in index order, then the reads that wait for it.
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

// flight is a batch on its way: filled by the driver, synced, then released.
type flight struct {
	// entries are appended under Log.mu, by the driver only.
	entries []Entry
	// size is the sum of the entries' sizes.
	size  int
	batch Batch
}
