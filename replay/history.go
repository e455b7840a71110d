package replay

import (
	"slices"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// replay applies the loaded history, segment by segment. more reports whether messages wait: then all of it is the past.
//
// If the code diverges, the rest of the history is still applied, without code: what is open at the end must be
// known.
func (m *Machine) replay(more bool) {
	left := m.outline.events
	if left == 0 {
		return
	}
	ahead := 0
	if more {
		ahead = 1
	}
	for i := range m.loaded.Turns() {
		s := m.loaded.Turn(i)
		if m.replayed == 0 {
			m.beginsWith(s.Events)
		}
		m.loadHeader(s.Header)
		m.header = s.Header
		var entropy [16]byte
		copy(entropy[:], s.Header.GetEntropy())
		m.startTurn(s.Header.GetTimeMs(), entropy)
		for j, e := range s.Events {
			// At the handler's start the started event itself still counts as history that is replayed.
			if i > 0 || j > 0 {
				left--
			}
			m.replaying = left+ahead > 0
			m.replayed++
			if why := m.apply(e); why != nil {
				m.failTurn(why)
			}
			m.poll()
			if i == 0 && j == 0 {
				left--
			}
		}
		m.endSegment()
	}
	m.loaded, m.outline = nil, Outline{}
	m.effects, m.header, m.stops = nil, nil, nil
}

// beginsWith checks that the first event of a history, which may be among these, starts the execution.
func (m *Machine) beginsWith(events []*turnpb.Event) {
	if len(events) > 0 && events[0].GetStarted() == nil {
		m.failTurn(failure.Nondeterminism("history", "corrupted history: the first event is "+KindName(events[0])+
			", OrchestrationStarted must be first"))
	}
}

// loadHeader takes over which call sites this execution has already spelled out.
func (m *Machine) loadHeader(h *turnpb.SegmentHeader) {
	for _, c := range h.GetCallSites() {
		m.useSite(c.GetHash())
	}
}

// useSite notes a call site and reports whether this is its first use. Sites are lines of source, so there are few: a
// slice is smaller and faster than a map.
func (m *Machine) useSite(hash uint32) bool {
	if slices.Contains(m.sitesUsed, hash) {
		return false
	}
	m.sitesUsed = append(m.sitesUsed, hash)
	return true
}

// endSegment does for a replayed turn what settle did when it was decided, as far as it leaves no event behind.
func (m *Machine) endSegment() {
	m.noteContinue()
	m.dropTimers()
	for _, f := range m.bound {
		f.input = nil // it is in the event; the future may live long
	}
	m.lastPanic = nil
	if m.ending() == endNot {
		return
	}
	// The execution had decided how to end and waited only for children: nothing else stayed open.
	if m.fatal == nil && m.waiting() {
		m.stopHeld()
		m.closeOpen(m.ending())
	}
}

// dropTimers forgets the timers that a replayed turn cancelled: it deleted them, and no event says so. So are awaits, whose
// watcher it removed. It forgets sends, too.
func (m *Machine) dropTimers() {
	kept := m.dropped[:0]
	for _, f := range m.dropped {
		if f.kind != opTimer && f.kind != opSend && f.kind != opAwait {
			kept = append(kept, f)
		}
	}
	clear(m.dropped[len(kept):])
	m.dropped = kept
}

// noteContinue notes continue-as-new actions that nothing else stands in front of.
func (m *Machine) noteContinue() {
	for m.head < len(m.queue) && m.queue[m.head].kind == opContinue {
		if m.next == nil {
			m.next = m.queue[m.head]
		}
		m.head++
	}
	if m.head == len(m.queue) {
		m.queue, m.head = m.queue[:0], 0
	}
}
