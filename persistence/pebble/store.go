package pebble

import (
	"github.com/turnstone-dev/turnstone/persistence"
)

// Store is a journal on Pebble. It implements persistence.Journal.
type Store struct {
	info persistence.StoreInfo
}

var _ persistence.Journal = (*Store)(nil)

// StepKind is one kind of work that a manually driven store has to do.
type StepKind uint8

// The kinds of steps.
const (
	// StepApply applies what is queued as one batch, unsynced.
	StepApply StepKind = iota + 1
	// StepSync makes all applied batches durable and releases their effects and results.
	StepSync
	// StepView runs the oldest waiting read.
	StepView
	// StepWitness writes the witness, if it would say more than the last one.
	StepWitness
)
