package pebble

import "github.com/turnstone-dev/turnstone/persistence/pebble/internal/locallog"

// logged is the core behind the interface of the local log.
type logged struct{ c *core }

var _ locallog.Core = logged{}

// NewBatch implements [locallog.Core].
func (l logged) NewBatch() locallog.Batch { return &loggedBatch{c: l.c, batch: l.c.newBatch()} }

// SyncAll implements [locallog.Core].
func (l logged) SyncAll() bool { return l.c.syncAll() }

// Failed implements [locallog.Core].
func (l logged) Failed() <-chan struct{} { return l.c.latch.done }

// Failure implements [locallog.Core].
func (l logged) Failure() error { return l.c.latch.cause() }

// Sound implements [locallog.Core].
func (l logged) Sound() bool { return l.c.latch.clear() }

// loggedBatch is a batch of the core behind the interface of the local log.
type loggedBatch struct {
	c     *core
	batch batch
}

// Begin implements [locallog.Batch].
func (b *loggedBatch) Begin() { b.c.begin(&b.batch) }

// Apply implements [locallog.Batch].
func (b *loggedBatch) Apply(entries []locallog.Entry) {
	for i := range entries {
		b.c.apply(&b.batch, entries[i].Partition, &entries[i].Proposal)
	}
}

// Commit implements [locallog.Batch].
func (b *loggedBatch) Commit() bool { return b.c.commit(&b.batch) }

// Sync implements [locallog.Batch].
func (b *loggedBatch) Sync() bool { return b.c.sync(&b.batch) }

// Release implements [locallog.Batch].
func (b *loggedBatch) Release() { b.c.release(&b.batch) }

// Close implements [locallog.Batch].
func (b *loggedBatch) Close() bool { return b.c.end(&b.batch) }
