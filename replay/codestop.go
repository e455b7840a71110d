package replay

import turnpb "github.com/turnstone-dev/turnstone/proto"

// codeStop is a place in a loaded history where a limit stopped the code, and with which failure.
type codeStop struct {
	*turnpb.CodeStop
	why *turnpb.Failure
}

// noteStop takes note of a place where history says that a limit stopped the code. Limits are not checked on replay, and
// the variables that undo steps use must be as they were.
func (m *Machine) noteStop(at *turnpb.CodeStop, why *turnpb.Failure) {
	if at != nil {
		m.stops = append(m.stops, codeStop{at, why})
	}
}

// here is the place where code is stopped now.
func (m *Machine) here() *turnpb.CodeStop {
	at := &turnpb.CodeStop{Event: m.nextID, Resumes: m.resumes, Asked: m.asked}
	if m.current != nil {
		at.Calls = uint64(m.calls)
	}
	return at
}

// stopAgain stops the code where it was stopped.
func (m *Machine) stopAgain() {
	s := m.stops[0]
	m.stops = m.stops[1:]
	m.failLimitAt(s.why, s.CodeStop)
}

// passStop forgets the next place: code that is verified was stopped there by the limit itself.
func (m *Machine) passStop() {
	if len(m.stops) > 0 && m.nextID >= m.stops[0].Event {
		m.stops = m.stops[1:]
	}
}

// stopBefore stops the code if it was stopped before this event was made.
func (m *Machine) stopBefore(event uint64) {
	if len(m.stops) > 0 && event >= m.stops[0].Event {
		m.stopAgain()
	}
}

// stopCall stops the code that has control if it was stopped in this call. emits: the call asks for something.
func (m *Machine) stopCall(co *coroutine, emits bool) {
	s := m.stops[0]
	if m.resumes == s.Resumes && m.asked == s.Asked && s.Calls > 0 && (emits || uint64(m.calls) >= s.Calls) {
		m.stopAgain()
		co.exit()
	}
}

// stopResume stops code that was not resumed any more. It reports whether it did.
func (m *Machine) stopResume() bool {
	if len(m.stops) == 0 || m.resumes < m.stops[0].Resumes {
		return false
	}
	m.stopAgain()
	return true
}
