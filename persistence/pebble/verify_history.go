package pebble

import (
	"math"

	"github.com/turnstone-dev/turnstone/internal/history"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// walk is the state of a walk through the parts of one instance.
type walk struct {
	execution uint64
	turn      uint64
	next      uint64
	chain     persistence.Chain
	lastPart  uint64
	bytes     uint64
	// ended: the last event ends the execution.
	ended bool
	// bad is set at the execution's first damage, so that the rows behind are not reported for it.
	bad bool
}

// history walks all parts of the instance. It checks chains and order, and for the current execution the open operations.
func (i *instanceCheck) history() {
	w := &walk{execution: i.h.FirstExecution - 1, chain: i.h.FirstChain, ended: true}
	prefix := appendInstance(nil, i.v.p, famSegment, i.h.IID)
	i.v.unreadable(prefix, i.v.r.scanRows(prefix, prefix, func(key, value []byte) (bool, error) {
		_, _, k := splitKey(key)
		k.take(8)
		part, err := decodePart(k.u64(), k.u64(), k.u64(), value)
		if err == nil {
			i.part(w, key, &part)
		}
		return true, nil
	}))
	h := i.h
	if h.Turn == 0 {
		i.open = newOpenEvents() // the open operations are those of the current execution only
		if w.execution >= h.Execution {
			i.damage("it stands before the first turn of execution %d, and history has execution %d", h.Execution, w.execution)
		} else if w.execution != h.Execution-1 && !w.bad {
			i.damage("it stands at execution %d, and history ends in execution %d", h.Execution, w.execution)
		} else if !w.bad {
			i.endKept(w, i.key, h.Previous)
		}
		return
	}
	switch {
	case w.bad: // already named
	case w.execution != h.Execution || w.turn != h.Turn || w.next != h.NextEvent:
		i.damage("it stands at execution %d, turn %d, next event %d; history ends at %d, %d, %d",
			h.Execution, h.Turn, h.NextEvent, w.execution, w.turn, w.next)
	case w.chain != h.Chain:
		i.damage("its chain is not that of its history")
	case w.lastPart != h.LastPart || w.next-1 != h.HistoryEvents || w.bytes != h.HistoryBytes:
		i.damage("it has last part %d, %d events, %d bytes; history has %d, %d, %d",
			h.LastPart, h.HistoryEvents, h.HistoryBytes, w.lastPart, w.next-1, w.bytes)
	case w.ended != h.Status.Terminal():
		i.damage("it is %v, and whether its last event ends it: %t", h.Status, w.ended)
	}
}

// nextExecution goes on to the next execution. The one before must have ended, and its last chain must be that of the first
// part.
func (i *instanceCheck) nextExecution(w *walk, key []byte, p *persistence.StoredPart) {
	switch {
	case p.Execution < i.h.FirstExecution:
		i.v.damage(key, "history is kept from execution %d on", i.h.FirstExecution)
	case p.Execution != w.execution+1:
		i.v.damage(key, "it follows execution %d", w.execution)
	case !w.bad:
		i.endKept(w, key, p.Previous)
	}
	*w = walk{execution: p.Execution, next: 1, chain: persistence.SeedChain(i.h.IID, p.Execution, p.Previous)}
	i.open = newOpenEvents()
}

// endKept checks that the execution before has all its turns: previous is the chain that the next one begins with.
func (i *instanceCheck) endKept(w *walk, key []byte, previous persistence.Chain) {
	if !w.ended {
		i.v.damage(key, "execution %d does not end in a terminal event", w.execution)
	}
	if w.chain != previous {
		i.v.damage(key, "it follows chain %x, and execution %d ends in chain %x", previous, w.execution, w.chain)
	}
}

// part takes the next stored part.
func (i *instanceCheck) part(w *walk, key []byte, p *persistence.StoredPart) {
	if p.Execution != w.execution || w.next == 0 {
		i.nextExecution(w, key, p)
	}
	if w.bad {
		return
	}
	first := p.Turn != w.turn
	if p.Turn > 1 || !first {
		if p.Previous != (persistence.Chain{}) {
			i.v.damage(key, "only the first part of an execution follows another one's chain")
		}
	}
	w.chain = w.chain.Next(p)
	switch {
	case p.FirstEvent != w.next:
		i.v.damage(key, "the next event of history is %d", w.next)
		w.bad = true
	case first && p.Turn != w.turn+1:
		i.v.damage(key, "it follows turn %d", w.turn)
		w.bad = true
	case p.Chain != w.chain:
		i.v.damage(key, "its bytes do not fit its chain")
		w.bad = true
	default:
		w.ended = i.events(key, p, first)
	}
	w.turn, w.next, w.lastPart = p.Turn, p.FirstEvent+p.Count, p.FirstEvent
	w.bytes += uint64(len(p.Header) + len(p.Events))
}

// events decodes a part and follows the operations that it opens and closes. It reports whether the last event ends the
// execution.
func (i *instanceCheck) events(key []byte, p *persistence.StoredPart, first bool) (ended bool) {
	if first {
		if header, err := history.Header(p.FirstEvent, p.Header); err != nil {
			i.v.damage(key, "it cannot be decoded: %v", err)
		} else {
			if header.Turn != p.Turn {
				i.v.damage(key, "its header is that of turn %d", header.Turn)
			}
			i.open.turnMs = header.TimeMs
		}
	}
	events, err := history.Events(p.FirstEvent, p.Events)
	if err != nil {
		i.v.damage(key, "it cannot be decoded: %v", err)
		return false
	}
	if uint64(len(events)) != p.Count {
		i.v.damage(key, "it holds %d events and counts %d", len(events), p.Count)
	}
	i.v.rep.Events += uint64(len(events))
	for n, e := range events {
		if e.Id != p.FirstEvent+uint64(n) {
			i.v.damage(key, "event %d stands where %d belongs", e.Id, p.FirstEvent+uint64(n))
		}
		i.open.follow(e)
		ended = ends(e)
	}
	return ended
}

// ends reports whether an event ends an execution.
func ends(e *turnpb.Event) bool {
	switch e.Kind.(type) {
	case *turnpb.Event_Completed, *turnpb.Event_Failed, *turnpb.Event_ContinuedAsNew:
		return true
	}
	return false
}

// follow opens the operation of a schedule event and closes that of a completion.
func (o *openEvents) follow(e *turnpb.Event) {
	switch k := e.Kind.(type) {
	case *turnpb.Event_Started: // an execution timeout is a timer of the started event
		if timeout := k.Started.ExecutionTimeoutMs; timeout > 0 {
			o.timers[e.Id] = o.turnMs + min(timeout, math.MaxInt64-o.turnMs)
		}
	case *turnpb.Event_ActivityScheduled:
		o.activities[e.Id] = k.ActivityScheduled.Name
	case *turnpb.Event_ActivityCompleted, *turnpb.Event_ActivityFailed, *turnpb.Event_ActivityCancelRequested:
		delete(o.activities, e.Source)
	case *turnpb.Event_TimerCreated:
		o.timers[e.Id] = k.TimerCreated.FireAtMs
	case *turnpb.Event_TimerFired:
		delete(o.timers, e.Source)
	case *turnpb.Event_SubOrchestrationScheduled:
		o.children[e.Id] = true
	case *turnpb.Event_SubOrchestrationCompleted, *turnpb.Event_SubOrchestrationFailed:
		delete(o.children, e.Source)
	case *turnpb.Event_CompensationStarted:
		o.cleanup = e.Id
	}
}
