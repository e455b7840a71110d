package replay

import turnpb "github.com/turnstone-dev/turnstone/proto"

// patchState is what an execution has decided about a patch.
type patchState uint8

const (
	patchOff           patchState = iota // code asked first while it was replayed, and history has no marker: the old way for good
	patchOn                              // history has the marker, or this turn records it: the new way for good
	patchDue                             // history is verified and has the marker: the first call records it again
	patchDueDeprecated                   // the same for a marker that says deprecated
)

// Patched reports whether code takes the new way of a change. The first call for an id decides for the rest of the
// execution: the new way if history has the marker of the id, or if the call is made for the first time, in which case the
// marker is recorded; the old way if the code repeats what it did when it did not know the id. Markers are a set: where in
// history they stand is not matched, and code may stop asking for one.
func (c *Context) Patched(id string) bool { return c.patch(id, false) }

// DeprecatePatch is for code that has only the new way of a change. It records the same marker as Patched, so that code
// which still has both ways takes the new one when it replays the history.
func (c *Context) DeprecatePatch(id string) { c.patch(id, true) }

func (c *Context) patch(id string, deprecated bool) bool {
	m := c.m
	m.enter(c.co)
	state, known := m.patches[id]
	if plantedPatch && m.fresh && !m.verifying {
		known = false
	}
	if known && state <= patchOn {
		return state == patchOn
	}
	if known {
		deprecated = state == patchDueDeprecated
	}
	m.checkName("patch id", id)
	if !known && (!m.fresh || m.verifying) {
		m.setPatch(id, patchOff)
		if deprecated {
			m.unmarked = id
		}
		return false
	}
	m.setPatch(id, patchOn)
	m.emit(c.co, &Future{kind: opPatch, name: id, deprecated: deprecated})
	return true
}

func (m *Machine) setPatch(id string, state patchState) {
	if m.patches == nil {
		m.patches = map[string]patchState{}
	}
	m.patches[id] = state
}

// expect has a machine that verifies a history answer as the code was answered then: a patch that it has no marker of was
// the old way, whichever turn asks, and a side effect has its recorded value.
func (m *Machine) expect(history []Segment) {
	m.verifying = true
	for _, s := range history {
		for _, e := range s.Events {
			switch k := e.GetKind().(type) {
			case *turnpb.Event_PatchMarked:
				state := patchDue
				if k.PatchMarked.GetDeprecated() {
					state = patchDueDeprecated
				}
				m.setPatch(k.PatchMarked.GetId(), state)
			case *turnpb.Event_SideEffectRecorded:
				m.effects = append(m.effects, k.SideEffectRecorded.GetValue())
			case *turnpb.Event_Started:
				m.tidy = k.Started.GetCleanup()
			case *turnpb.Event_CompensationStarted:
				m.noteStop(k.CompensationStarted.GetStop(), k.CompensationStarted.GetFailure())
			case *turnpb.Event_CompensationFailed:
				m.noteStop(k.CompensationFailed.GetStop(), k.CompensationFailed.GetFailure())
			}
		}
	}
}
