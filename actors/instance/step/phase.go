package step

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/internal/invariants"
)

// phase is the one thing that an instance is doing. Each phase but the first two ends with a message.
type phase uint8

const (
	phaseUnknown    phase = iota // the durable state is not known
	phaseReady                   // the durable state is known, and nothing is in flight but accepts
	phaseLoading                 // the journal reads the instance or its inbox
	phaseWaiting                 // a read waits for memory
	phaseLeasing                 // careful mode: LeaseTurn is proposed
	phaseAdmitting               // careful mode: a suspect waits until it may run
	phaseRunning                 // a turn waits for its slot or runs there
	phaseSettling                // a turn has ended and waits for the accepts of its own messages
	phaseCommitting              // CommitTurn is proposed
	phaseAbandoning              // AbandonTurn or ReleaseTurn is proposed
	phaseClosing                 // the replay machine is being unwound
	phaseQuerying                // a query waits for its slot or runs there
	phasePausing                 // a short wait: the journal was busy, a read failed, or a heavy suspect has just started
	phases
)

var phaseNames = [phases]string{
	"unknown", "ready", "loading", "waiting", "leasing", "admitting", "running", "settling", "committing", "abandoning", "closing",
	"querying", "pausing",
}

// String names the phase.
func (p phase) String() string { return phaseNames[p] }

// phaseSet is a set of phases.
type phaseSet uint16

func setOf(list ...phase) (s phaseSet) {
	for _, p := range list {
		s |= 1 << p
	}
	return s
}

func (s phaseSet) has(p phase) bool { return s&(1<<p) != 0 }

// resting has the phases in which an instance decides what to do next.
var resting = setOf(phaseUnknown, phaseReady)

// legalMoves has for each phase the phases that may follow it.
var legalMoves = [phases]phaseSet{
	phaseUnknown: setOf(phaseReady, phaseLoading, phasePausing, phaseClosing),
	phaseReady: setOf(phaseUnknown, phaseLoading, phaseWaiting, phaseLeasing, phaseAdmitting, phaseRunning, phaseCommitting, phaseAbandoning,
		phaseQuerying, phasePausing),
	phaseLoading:    setOf(phaseUnknown),
	phaseWaiting:    setOf(phaseReady),
	phaseLeasing:    setOf(phaseReady),
	phaseAdmitting:  setOf(phaseReady),
	phaseRunning:    setOf(phaseUnknown, phaseSettling),
	phaseSettling:   setOf(phaseUnknown, phaseReady, phaseCommitting),
	phaseCommitting: resting,
	phaseAbandoning: setOf(phaseReady),
	phaseClosing:    setOf(phaseUnknown),
	phaseQuerying:   resting,
	phasePausing:    resting,
}

// become changes the phase; nothing else does. It panics if the move is not legal.
func (in *Machine) become(next phase) {
	if next != in.phase && !legalMoves[in.phase].has(next) {
		panic(fmt.Sprintf("actors: instance %q cannot go from %s to %s", in.id, in.phase, next))
	}
	if invariants.Enabled {
		moves[in.phase][next].Store(true)
	}
	in.phase = next
}
