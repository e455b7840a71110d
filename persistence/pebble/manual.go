package pebble

import (
	"errors"
	"fmt"
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
	// StepWitness writes the witness, if it would claim more than the last one.
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

// Steps lists the kinds of steps that have something to do now. Call it only for a store opened with Options.Manual, on the
// goroutine that drives it.
func (s *Store) Steps() (kinds []StepKind) {
	if !s.o.Manual || !s.core.latch.clear() || closedNow(s.log.Stopped()) {
		return nil
	}
	if s.log.Queued() > 0 {
		kinds = append(kinds, StepApply)
	}
	if s.log.Unsynced() {
		kinds = append(kinds, StepSync)
	}
	if s.views.pending() {
		kinds = append(kinds, StepView)
	}
	if s.core.unwitnessed {
		kinds = append(kinds, StepWitness)
	}
	return kinds
}

// Step takes one step and reports whether there was anything to do. Callbacks run inside it.
func (s *Store) Step(kind StepKind) bool {
	if !s.o.Manual || !s.core.latch.clear() {
		return false
	}
	switch kind {
	case StepApply:
		return s.log.Apply()
	case StepSync:
		return s.log.Sync()
	case StepView:
		return s.stepView()
	case StepWitness:
		if !s.core.unwitnessed {
			return false
		}
		s.core.unwitnessed = s.core.writeWitness() != nil
		return true
	}
	panic(fmt.Sprintf("no step is called %v", kind))
}

func (s *Store) stepView() bool {
	v := s.views.oldest()
	if v == nil {
		return false
	}
	if err := s.core.failRead(); err != nil {
		s.views.finish(v, err)
		s.log.Fail(err)
		return true
	}
	s.serveOne(v)
	return true
}

// FailSync makes the next StepSync fail with this error: the latch closes, and all that was not released is uncertain.
func (s *Store) FailSync(err error) { s.core.faults.sync = err }

// FailRead makes the next StepView fail with this error, as a disk that cannot read does: the latch closes.
func (s *Store) FailRead(err error) { s.core.faults.read = err }

var errDropped = errors.New("dropped, as by a crash")

// Drop abandons a manually driven store as a crash does: it calls no callback any more. Take the crash image of the file
// system before Drop, and do not use the old file system after it.
func (s *Store) Drop() error {
	if s.dropped {
		return nil
	}
	s.dropped = true
	s.log.Drop(errDropped)
	s.views.forget()
	return s.core.drop()
}
