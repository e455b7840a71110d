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

// release lets out what a durable batch did. It excludes Fail: a flight is released whole or fails whole.
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

// Fail ends everything that waits, after the core has failed or was left: proposals that may be in the log are uncertain,
// the others were never in it, reads did not happen.
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

// watch ends what waits when the core fails, even if it never answers.
func (l *Log) watch() {
	defer l.running.Done()
	select {
	case <-l.failed:
		l.Fail(l.core.Failure())
	case <-l.left:
	}
}
