package locallog

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/persistence"
)

// Apply applies what is queued as one batch, visible but not durable, and reports whether there was anything. It is for
// a log without goroutines.
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

// Unsynced reports whether something was applied that is not durable. It is for a log without goroutines.
func (l *Log) Unsynced() bool { return len(l.applied) > 0 }

// Sync makes what was applied durable, releases it, and reports whether there was anything. It is for a log without
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

// Drop leaves a log without goroutines as a crash does: no proposal is answered any more, not even with an error.
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
