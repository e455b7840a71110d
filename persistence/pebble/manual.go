package pebble

import (
	"errors"
	"fmt"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/turnstone-dev/turnstone/persistence"
)

// StepKind is one kind of work that a manually driven store has to do.
type StepKind uint8

// The kinds of steps.
const (
	// StepApply applies what is queued as one batch, visible but unsynced.
	StepApply StepKind = iota + 1
	// StepSync makes all applied batches durable and releases their effects and results.
	StepSync
	// StepView runs the oldest waiting read.
	StepView
	// StepWitness writes the witness, if it would say more than the last one.
	StepWitness
)

// String names the step.
func (k StepKind) String() string {
	names := [...]string{"", "apply", "sync", "view", "witness"}
	if int(k) < len(names) && k > 0 {
		return names[k]
	}
	return fmt.Sprintf("StepKind(%d)", uint8(k))
}

// manual is what a manually driven store keeps between steps. One goroutine drives it.
type manual struct {
	s       *Store
	applied []*flight
	failing error
	// failingRead is what the next read finds instead of its rows.
	failingRead error
	// unwitnessed says that something became durable since the last witness.
	unwitnessed bool
	dropped     bool
}

// Steps lists the kinds of steps that have something to do now. Only for a store opened with Options.Manual, on the
// goroutine that drives it.
func (s *Store) Steps() (kinds []StepKind) {
	if !s.o.Manual || !s.latch.clear() {
		return nil
	}
	s.mu.Lock()
	queued, failed := len(s.mu.queue) > 0, s.mu.failed
	s.mu.Unlock()
	if failed {
		return nil
	}
	if queued {
		kinds = append(kinds, StepApply)
	}
	if len(s.manual.applied) > 0 {
		kinds = append(kinds, StepSync)
	}
	if s.views.pending() {
		kinds = append(kinds, StepView)
	}
	if s.manual.unwitnessed {
		kinds = append(kinds, StepWitness)
	}
	return kinds
}

// Step takes one step and reports whether there was anything to do. Callbacks run inside it.
func (s *Store) Step(kind StepKind) bool {
	if !s.o.Manual || !s.latch.clear() {
		return false
	}
	switch kind {
	case StepApply:
		return s.manual.apply()
	case StepSync:
		return s.manual.sync()
	case StepView:
		v := s.views.next(false)
		if v != nil && s.manual.failingRead != nil {
			s.latch.simulated.Store(true)
			s.latch.trip("read", s.dbDir, s.manual.failingRead)
			s.views.finish(v, s.latch.cause())
			s.failAll(s.latch.cause())
			return true
		}
		if v != nil {
			s.serveOne(v)
		}
		return v != nil
	case StepWitness:
		if !s.manual.unwitnessed {
			return false
		}
		s.manual.unwitnessed = s.writeWitness() != nil
		return true
	}
	panic(fmt.Sprintf("no step is called %v", kind))
}

func (m *manual) apply() bool {
	s := m.s
	f := s.newFlight()
	if s.fill(f) == 0 {
		_ = f.batch.Close() // an empty batch holds nothing
		return false
	}
	if s.submit(f) {
		m.applied = append(m.applied, f)
	} else {
		s.failAll(s.latch.cause())
	}
	return true
}

func (m *manual) sync() bool {
	s := m.s
	if len(m.applied) == 0 {
		return false
	}
	err := m.failing
	if err == nil {
		err = s.db.LogData(nil, pdb.Sync)
	} else {
		s.latch.simulated.Store(true)
	}
	if err != nil {
		s.latch.trip("sync", s.dbDir, err)
		s.failAll(s.latch.cause())
		return true
	}
	s.stats.syncs.Add(1)
	m.unwitnessed = true
	flights := m.applied
	m.applied = nil
	for _, f := range flights {
		if !s.release(f) {
			return true
		}
		if err := f.batch.Close(); err != nil {
			s.latch.trip("commit", s.dbDir, err)
			s.failAll(s.latch.cause())
			return true
		}
	}
	return true
}

// FailSync makes the next StepSync fail with this error: the latch closes, and all that was not released is uncertain.
func (s *Store) FailSync(err error) { s.manual.failing = err }

// FailRead makes the next StepView fail with this error, as a disk that cannot read does: the latch closes.
func (s *Store) FailRead(err error) { s.manual.failingRead = err }

var errDropped = errors.New("dropped, as by a crash")

// Drop leaves a manually driven store as a crash does: no callback is called any more, and nothing more is promised.
// Take the crash image of the file system before it, and do not use the old file system after it.
func (s *Store) Drop() error {
	s.mu.Lock()
	if s.manual.dropped {
		s.mu.Unlock()
		return nil
	}
	s.manual.dropped = true
	if !s.mu.failed {
		s.mu.failed = true
		s.mu.closed = fmt.Errorf("%w: %w: %w", persistence.ErrNotLeader, persistence.ErrStopped, errDropped)
		s.mu.cause = fmt.Errorf("%w: %w", persistence.ErrStopped, errDropped)
		s.mu.flights, s.mu.queue, s.mu.queued = nil, nil, 0
		close(s.stopped)
	}
	s.mu.Unlock()
	s.views.forget()
	s.durable.forget()
	s.logs.setOnGone(nil)
	close(s.latch.left)
	err := s.db.Close()
	return errors.Join(err, s.lock.Close())
}
