package instance

import (
	"slices"

	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
)

// verify checks what the fields of an instance promise, after each message. A panic may leave counts wrong, so after one
// nothing is checked until a turn has been committed.
func (s *instance) verify() {
	if !invariants.Enabled || s.failed > 0 || s.lost {
		return
	}
	s.core.verify()
	s.verifyOutstanding()
	s.verifyMemory()
	for at, a := range s.unanswered {
		invariants.Check(a.at == at, "the message at %d of those that are not answered says that it is at %d", at, a.at)
	}
}

// verifyOutstanding checks that each answer that is on its way is counted, and nothing else but what came too late to be
// called off.
func (s *instance) verifyOutstanding() {
	in := &s.core
	n := in.accepting
	for _, one := range []bool{
		in.awaits(), in.phase == phaseRunning, in.phase == phaseCommitting, in.phase == phaseClosing, in.phase == phasePausing,
		s.acceptTimer != nil, s.evicting, in.later != nil,
	} {
		if one {
			n++
		}
	}
	invariants.Check(s.outstanding == n || s.overdue && s.outstanding > n,
		"phase %s, %d answers are outstanding, of which %d are known (%d accepts)", in.phase, s.outstanding, n, in.accepting)
	proposed := in.buffer.accepting()
	if in.turn != nil {
		proposed += (&buffer{items: in.turn.arrivals}).accepting()
	}
	invariants.Check(proposed <= in.accepting, "%d messages are being accepted, %d are counted", proposed, in.accepting)
}

// verifyMemory checks who accounts for the memory.
func (s *instance) verifyMemory() {
	invariants.Check(s.charge >= 0, "%d bytes are taken of the memory", s.charge)
	invariants.Check(s.core.parked || s.place == nil, "not parked, with a place")
	if s.place != nil {
		invariants.Check(s.core.machine != nil && s.charge == 0, "parked, with a machine %t, and %d bytes of the memory",
			s.core.machine != nil, s.charge)
	}
}

// verify checks what the fields of the step machine promise.
func (in *core) verify() {
	in.verifyTurn()
	in.buffer.verify()
	in.view.verify()
	in.view.inbox.verify()
	invariants.Check(in.news.seen <= in.news.last, "news %d have been seen, of %d", in.news.seen, in.news.last)
}

// verifyTurn checks who has the turn and the machine in each phase.
func (in *core) verifyTurn() {
	inFlight := in.phase == phaseRunning || in.phase == phaseSettling || in.phase == phaseCommitting
	invariants.Check(inFlight == (in.turn != nil), "phase %s, and a turn is in flight: %t", in.phase, in.turn != nil)
	invariants.Check(in.awaits() == (in.awaiting != nil), "phase %s, and an answer is awaited: %t", in.phase, in.awaiting != nil)
	if in.machine == nil {
		return
	}
	v := &in.view
	invariants.Check(in.turn == nil && in.phase != phaseClosing && in.phase != phaseUnknown, "phase %s has a machine at rest", in.phase)
	invariants.Check(v.known && v.exists && in.consumer != nil, "a machine at rest: known %t, exists %t", v.known, v.exists)
	invariants.Check(in.machine.NextEvent() == v.head.NextEvent,
		"the machine's next event is %d, the head's %d", in.machine.NextEvent(), v.head.NextEvent)
}

// awaits says whether the phase ends with an answer that is compared.
func (in *core) awaits() bool {
	switch in.phase {
	case phaseLoading, phaseWaiting, phaseLeasing, phaseAdmitting, phaseAbandoning:
		return true
	}
	return false
}

// accepting counts the messages that are proposed on their own.
func (b *buffer) accepting() (n int) {
	for _, a := range b.items {
		if a.state == arrivalAccepting {
			n++
		}
	}
	return n
}

func (b *buffer) verify() {
	bytes := 0
	for _, a := range b.items {
		bytes += a.size
		invariants.Check(a.state == arrivalUnproposed || a.state == arrivalAccepting, "a buffered message is in state %d", a.state)
	}
	invariants.Check(bytes == b.bytes, "the buffer counts %d bytes and has %d", b.bytes, bytes)
}

func (v *view) verify() {
	due := make(map[persistence.TimerKey]bool, len(v.due))
	for _, key := range v.due {
		invariants.Check(!due[key], "timer %v is noted as due twice", key)
		due[key] = true
	}
}

// verify checks what can be seen of a page without its inbox.
func (p *inboxPage) verify() {
	invariants.Check(p.read <= p.seen && p.read <= p.zero, "rows are read up to %d, of topics up to %d, without a name up to %d", p.read, p.seen, p.zero)
	invariants.Check(p.gap || p.read == p.seen, "without a gap rows are read up to %d and seen up to %d", p.read, p.seen)
	invariants.Check(p.known || p.wanted == nil, "names are wanted that are not known")
	bytes := 0
	for i := range p.rows {
		item := &p.rows[i]
		bytes += item.size
		invariants.Check(i == 0 || p.rows[i-1].seq < item.seq, "row %d comes behind row %d", item.seq, p.rows[max(i, 1)-1].seq)
		invariants.Check(p.covered(item), "row %d is beyond what has been read", item.seq)
	}
	invariants.Check(bytes == p.bytes, "the page counts %d bytes and has %d", p.bytes, bytes)
}

// covered says whether the page reaches a row.
func (p *inboxPage) covered(item *inboxItem) bool {
	return item.seq <= p.read || item.topic == 0 && item.seq <= p.zero || item.seq <= p.seen && slices.Contains(p.topics, item.topic)
}
