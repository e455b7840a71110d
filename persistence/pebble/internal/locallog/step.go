package locallog

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/persistence"
)

// Apply applies the queued proposals as one batch, visible but not durable, and reports whether there were any. It is for a
// log without goroutines.
func (l *Log) Apply() bool {
	f := l.newFlight()
	if l.fill(f) == 0 {
		_ = f.batch.Close() // an empty batch holds nothing
		return false
	}
	if f.batch.Commit() {
		l.applied = append(l.applied, f)
	} else {
		l.Fail(l.core.Failure())
	}
	return true
}

// Unsynced reports whether an applied batch is not durable. It is for a log without goroutines.
func (l *Log) Unsynced() bool { return len(l.applied) > 0 }

// Sync makes the applied batches durable, releases them, and reports whether there were any. It is for a log without
// goroutines.
func (l *Log) Sync() bool {
	if !l.Unsynced() {
		return false
	}
	if !l.core.SyncAll() {
		l.Fail(l.core.Failure())
		return true
	}
	flights := l.applied
	l.applied = nil
	for _, f := range flights {
		if !l.release(f) {
			return true
		}
		if !f.batch.Close() {
			l.Fail(l.core.Failure())
			return true
		}
	}
	return true
}

// Drop abandons a log without goroutines as a crash does: it answers no proposal any more, not even with an error.
func (l *Log) Drop(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.failed {
		return
	}
	l.mu.failed = true
	l.mu.cause = fmt.Errorf("%w: %w", persistence.ErrStopped, cause)
	l.mu.closed = fmt.Errorf("%w: %w", persistence.ErrNotLeader, l.mu.cause)
	l.mu.flights, l.mu.queue, l.mu.queued = nil, nil, 0
	close(l.stopped)
}
