package locallog

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
)

// syncFlights waits for each batch's sync in order, then releases it.
func (l *Log) syncFlights() {
	defer l.running.Done()
	defer close(l.drained)
	for f := range l.submitted {
		if !f.batch.Sync() {
			return
		}
		<-l.slots
		if !l.release(f) || !f.batch.Close() {
			return
		}
		l.reuse(f)
	}
}

// release publishes a durable batch. It excludes Fail: a flight is released as a whole or fails as a whole.
func (l *Log) release(f *flight) bool {
	l.releasing.Lock()
	defer l.releasing.Unlock()
	if !l.core.Sound() {
		return false
	}
	l.mu.Lock()
	if l.mu.failed {
		l.mu.Unlock()
		return false
	}
	if invariants.Enabled {
		l.verifyOldest(f)
	}
	l.mu.flights = l.mu.flights[1:]
	l.mu.Unlock()
	f.batch.Release()
	return true
}

// Fail answers all that wait, after the core has failed or the log was closed: proposals that may be in the log are
// uncertain, the others were never in it, and reads have failed.
func (l *Log) Fail(cause error) {
	l.releasing.Lock()
	defer l.releasing.Unlock()
	l.mu.Lock()
	if l.mu.failed {
		l.mu.Unlock()
		return
	}
	l.mu.failed = true
	stopped := fmt.Errorf("%w: %w", persistence.ErrStopped, cause)
	l.mu.closed = fmt.Errorf("%w: %w", persistence.ErrNotLeader, stopped)
	l.mu.cause = stopped
	flights, queue := l.mu.flights, l.mu.queue
	l.mu.flights, l.mu.queue = nil, nil
	if invariants.Enabled {
		l.verify()
	}
	l.mu.Unlock()
	close(l.stopped)
	uncertain := fmt.Errorf("%w: %w", persistence.ErrUncertain, cause)
	for _, f := range flights {
		failEntries(f.entries, uncertain)
	}
	failEntries(queue, fmt.Errorf("%w: %w", persistence.ErrNotLeader, stopped))
	l.c.OnStop(stopped)
}

func failEntries(entries []Entry, err error) {
	for i := range entries {
		entries[i].Proposal.Done(persistence.Result{Err: err})
	}
}

// watch calls Fail when the core fails, even if a call of the core never returns.
func (l *Log) watch() {
	defer l.running.Done()
	select {
	case <-l.failed:
		l.Fail(l.core.Failure())
	case <-l.finished:
	}
}
