package replay

import (
	"github.com/turnstone-dev/turnstone/internal/invariants"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// verifyMax is how many of a kind are looked at; what has more is left alone.
const verifyMax = 1000

// verify checks what a machine promises between its turns, after a turn that is not spoiled. After a failure of the turn
// some of it has stopped in the middle, and is not looked at.
func (m *Machine) verify(d *Decision) {
	invariants.Check(m.current == nil && m.holder.Load() == 0, "code has control after the turn")
	invariants.Check(m.d == nil && m.fresh && !m.replaying, "the turn is over, and history is replayed")
	invariants.Check(m.code != codeRunning || len(m.heap) == 0, "%d coroutines may run on after the turn", len(m.heap))
	invariants.Check(len(m.crumbs) == 0 && len(m.dropped) == 0 && m.deferred == nil, "%d breadcrumbs and %d dropped futures are left", len(m.crumbs), len(m.dropped))
	m.verifyEvents(d)
	m.verifyCoroutines()
	if m.open.verify(m.nextID); m.fatal == nil {
		invariants.Check(m.head == 0 && len(m.queue) == 0, "%d actions have no event, from position %d on", len(m.queue), m.head)
		m.verifyMailboxes()
	}
}

// verifyEvents checks the ids: without gaps, in their order, and none beyond the next.
func (m *Machine) verifyEvents(d *Decision) {
	first := m.nextID - uint64(len(d.Events))
	for i, e := range d.Events {
		invariants.Check(e.GetId() == first+uint64(i), "event %d of the turn has id %d, it is the %d-th", i, e.GetId(), first+uint64(i))
		invariants.Check(!Terminal(e) || i == len(d.Events)-1, "event %d ends the execution, and %d follow", e.GetId(), len(d.Events)-1-i)
	}
	invariants.Check(uint64(len(m.ledger.dense)) <= m.nextID, "the ledger has %d marks, the next event is %d", len(m.ledger.dense), m.nextID)
	for i, f := range m.bound {
		invariants.Check(f.event > 0 && (i == 0 || m.bound[i-1].event < f.event), "what was bound is not in the order of its events, at event %d", f.event)
	}
}

func (s *openSet) verify(next uint64) {
	if len(s.all) > verifyMax {
		return
	}
	gone := 0
	for i, e := range s.all {
		invariants.Check(e.event < next && (i == 0 || s.all[i-1].event < e.event), "what is open is not in the order of its events, at event %d", e.event)
		if e.f == nil {
			gone++
			continue
		}
		invariants.Check(e.f.event == e.event && e.f.state == pending, "the open operation of event %d is in state %d, of event %d", e.event, e.f.state, e.f.event)
	}
	invariants.Check(gone == s.gone, "%d open operations are gone, %d are counted", gone, s.gone)
}

// verifyCoroutines checks who lives, and that each unresolved future is in the list of the one who asked for it.
func (m *Machine) verifyCoroutines() {
	if m.live > verifyMax || m.pending > verifyMax {
		return
	}
	live, unresolved, coroutines := 0, 0, 0
	for co := m.newest; co != nil; co = co.older {
		live++
		invariants.Check(!co.done && co.m == m, "coroutine %d is done, and lives", co.number)
		invariants.Check(co.older == nil || co.older.newer == co && co.older.number < co.number, "coroutine %d is out of its order", co.number)
		for f := co.first; f != nil; f = f.next {
			unresolved++
			if f.kind == opGo {
				coroutines++
			}
			invariants.Check(f.owner == co && f.state == pending && f.since <= f.seq, "a future of coroutine %d is in state %d", co.number, f.state)
			last := f.next == nil
			invariants.Check(last == (co.last == f) && (last || f.next.prev == f && f.next.seq > f.seq), "the futures of coroutine %d are out of their order", co.number)
		}
	}
	invariants.Check(live == m.live, "%d coroutines live, %d are counted", live, m.live)
	if m.code == codeRunning { // one that panicked leaves its own behind
		invariants.Check(unresolved == m.pending && coroutines == m.pendingGo, "%d futures are unresolved, %d of them coroutines; counted are %d and %d",
			unresolved, coroutines, m.pending, m.pendingGo)
	}
}

// verifyMailboxes checks what is kept, and what is counted of it.
func (m *Machine) verifyMailboxes() {
	if len(m.events)+len(m.queues)+m.held.messages > verifyMax {
		return
	}
	kept := held{}
	for _, boxes := range []mailboxes{m.events, m.queues} {
		for name, b := range boxes {
			invariants.Check(len(b.waits)+len(b.kept) > 0, "name %q has nothing, and a place", name)
			for _, f := range b.waits {
				takesKept := f.kind == opQueue || f.mode != turnpb.WaitMode_WAIT_MODE_POSITIONAL
				invariants.Check(f.state == pending && f.name == name, "a wait for %q has state %d and name %q", name, f.state, f.name)
				invariants.Check(!takesKept || len(b.kept) == 0, "%d arrivals of %q are kept while a wait may take them", len(b.kept), name)
			}
			for i, a := range b.kept {
				kept.add(name, a.data)
				invariants.Check(i == 0 || b.kept[i-1].order < a.order, "arrivals of %q are kept out of their order", name)
			}
		}
	}
	invariants.Check(kept == m.held, "%d arrivals with %d bytes are kept, counted are %d and %d", kept.messages, kept.bytes, m.held.messages, m.held.bytes)
}
