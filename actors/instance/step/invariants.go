package step

import (
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/internal/invariants"
)

// moves are those that any machine has made, so that a test can name the legal moves that no story makes.
var moves [phases][phases]atomic.Bool

// Verify checks the invariants of the step machine's fields. It panics if one is broken.
func (in *Machine) Verify() {
	in.verifyTurn()
	in.verifyAccepting()
	in.buffer.verify()
	in.view.Verify()
	invariants.Check(in.reasons.seen <= in.reasons.last, "%d reasons to read have been seen, and there were only %d", in.reasons.seen, in.reasons.last)
}

// verifyTurn checks that the machine has a turn, an awaited answer and a replay machine exactly in the phases that allow it.
func (in *Machine) verifyTurn() {
	inFlight := in.phase == phaseRunning || in.phase == phaseSettling || in.phase == phaseCommitting
	invariants.Check(inFlight == (in.turn != nil), "phase %s, and a turn is in flight: %t", in.phase, in.turn != nil)
	asking := in.queries != nil && in.queries.running != nil
	invariants.Check((in.phase == phaseQuerying) == asking, "phase %s, and a query is in flight: %t", in.phase, asking)
	invariants.Check(in.awaits() == (in.awaiting != nil), "phase %s, and an answer is awaited: %t", in.phase, in.awaiting != nil)
	if in.resident == nil {
		return
	}
	v := &in.view
	invariants.Check(in.turn == nil && in.phase != phaseClosing && in.phase != phaseUnknown && in.phase != phaseQuerying, "phase %s has a machine at rest", in.phase)
	invariants.Check(v.Known && v.Exists && in.consumer != nil, "a machine at rest: known %t, exists %t", v.Known, v.Exists)
	invariants.Check(in.resident.NextEvent() == v.Head.NextEvent,
		"the machine's next event is %d, the head's %d", in.resident.NextEvent(), v.Head.NextEvent)
}

// Awaited counts the answers that the machine waits for.
func (in *Machine) Awaited() int {
	n := in.accepting
	for _, one := range []bool{
		in.awaits(), in.phase == phaseRunning, in.phase == phaseCommitting, in.phase == phaseClosing, in.phase == phaseQuerying,
		in.phase == phasePausing, in.later != nil,
	} {
		if one {
			n++
		}
	}
	return n
}

// Resident reports whether the instance should have a place among the residents.
func (in *Machine) Resident() bool { return in.parked && in.resident != nil }

// verifyAccepting checks that each message that is proposed on its own is counted.
func (in *Machine) verifyAccepting() {
	proposed := in.buffer.accepting()
	if in.turn != nil {
		proposed += (&buffer{items: in.turn.Arrivals}).accepting()
	}
	invariants.Check(proposed <= in.accepting, "%d messages are being accepted, %d are counted", proposed, in.accepting)
}

// awaits reports whether the phase ends with the answer in awaiting.
func (in *Machine) awaits() bool {
	switch in.phase {
	case phaseLoading, phaseWaiting, phaseLeasing, phaseAdmitting, phaseAbandoning:
		return true
	}
	return false
}

// accepting counts the messages that are proposed on their own.
func (b *buffer) accepting() (n int) {
	for _, a := range b.items {
		if a.State == arrival.Accepting {
			n++
		}
	}
	return n
}

func (b *buffer) verify() {
	bytes := 0
	for _, a := range b.items {
		bytes += a.Size
		invariants.Check(a.State == arrival.Unproposed || a.State == arrival.Accepting, "a buffered message is in state %d", a.State)
	}
	invariants.Check(bytes == b.bytes, "the buffer counts %d bytes and has %d", b.bytes, bytes)
}
