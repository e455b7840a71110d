package replay

import turnpb "github.com/turnstone-dev/turnstone/proto"

// History is the committed turns of an execution, oldest first, as a machine reads them: a turn at a time, so that a long
// history need not be in memory in its decoded form. It is read by one goroutine at a time.
type History interface {
	// Turns is how many turns there are.
	Turns() int
	// Turn gives one of them, the oldest is 0. What it gives is valid until the next call, and strings for good.
	Turn(n int) Segment
	// Sites calls yield with the call sites of all turns, in order, until it returns false. What Turn gave stays valid.
	Sites(yield func(*turnpb.CallSite) bool)
	// Outline gives what a machine must know before it reads the first turn.
	Outline() Outline
}

// Outline is what must be known of a history before its code runs. It is made by Add and AddCommon, for all events in order.
type Outline struct {
	events int    // how many there are
	last   uint64 // the highest id
	ahead  []*turnpb.Event
}

// Add takes the next event. It keeps only events that end an execution or its code, start it, mark a patch or record a side
// effect.
func (o *Outline) Add(e *turnpb.Event) {
	o.events++
	o.last = max(o.last, e.GetId())
	switch e.GetKind().(type) {
	case *turnpb.Event_Completed, *turnpb.Event_Failed, *turnpb.Event_ContinuedAsNew, *turnpb.Event_Started,
		*turnpb.Event_PatchMarked, *turnpb.Event_SideEffectRecorded, *turnpb.Event_CompensationStarted,
		*turnpb.Event_CompensationFailed:
		o.ahead = append(o.ahead, e)
	}
}

// AddCommon takes the next events, of which Add would keep none: how many, and the highest id.
func (o *Outline) AddCommon(n int, last uint64) {
	o.events += n
	o.last = max(o.last, last)
}

// Segments is a history that is decoded.
type Segments []Segment

// Turns implements History.
func (s Segments) Turns() int { return len(s) }

// Turn implements History.
func (s Segments) Turn(n int) Segment { return s[n] }

// Sites implements History.
func (s Segments) Sites(yield func(*turnpb.CallSite) bool) {
	for i := range s {
		for _, c := range s[i].Header.GetCallSites() {
			if !yield(c) {
				return
			}
		}
	}
}

// Outline implements History.
func (s Segments) Outline() (o Outline) {
	for i := range s {
		for _, e := range s[i].Events {
			o.Add(e)
		}
	}
	return o
}

// Load gives the machine the committed turns of its execution, before the first Advance. It runs nothing. The machine reads
// the turns later and must be the only one to use them until the first Advance returns.
func (m *Machine) Load(history History) {
	m.loaded, m.outline = history, history.Outline()
	m.nextID = max(m.nextID, m.outline.last+1)
	for _, e := range m.outline.ahead {
		m.foresee(e)
	}
	m.outline.ahead = nil
}

// foresee takes note of what must be known of a loaded history before its code runs.
func (m *Machine) foresee(e *turnpb.Event) {
	switch k := e.GetKind().(type) {
	case *turnpb.Event_Completed, *turnpb.Event_Failed, *turnpb.Event_ContinuedAsNew:
		m.terminal = true
	case *turnpb.Event_Started:
		if m.started == nil {
			m.started = k.Started
		}
	case *turnpb.Event_PatchMarked:
		m.setPatch(k.PatchMarked.GetId(), patchOn)
	case *turnpb.Event_SideEffectRecorded:
		m.effects = append(m.effects, k.SideEffectRecorded.GetValue())
	case *turnpb.Event_CompensationStarted:
		m.noteStop(k.CompensationStarted.GetStop(), k.CompensationStarted.GetFailure())
	case *turnpb.Event_CompensationFailed:
		m.noteStop(k.CompensationFailed.GetStop(), k.CompensationFailed.GetFailure())
	}
}
