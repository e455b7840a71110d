package replay

import (
	"errors"
	"runtime"
)

// ErrMisuse is wrapped by Decision.Spoiled.
var ErrMisuse = errors.New("the orchestration's context was used outside the coroutine it was given to")

// enter checks that the caller is the coroutine that the context belongs to and that this coroutine has the baton.
func (m *Machine) enter(co *coroutine) {
	if co.exiting {
		runtime.Goexit()
	}
	if m.baton.Load() != co.handed || co.done || (m.cfg.GoroutineID != nil && m.cfg.GoroutineID() != co.gid) {
		m.misused()
	}
	m.count(co)
}

// enterAny is enter for futures, which any coroutine of the machine may use.
func (m *Machine) enterAny() *coroutine {
	if m.baton.Load() == 0 {
		m.misused()
	}
	co := m.current
	if co.exiting {
		runtime.Goexit()
	}
	if m.cfg.GoroutineID != nil && m.cfg.GoroutineID() != co.gid {
		m.misused()
	}
	m.count(co)
	return co
}

func (m *Machine) count(co *coroutine) {
	m.calls++
	if m.calls > m.cfg.Limits.Calls && (m.fresh || m.calls > callsDefault) {
		m.overrun(co)
	}
}

// misused marks the machine as spoiled and ends the calling goroutine: nothing that it could be told is true.
func (m *Machine) misused() {
	if !m.closed.Load() {
		err := error(&MisuseError{Instance: m.cfg.Instance, Execution: m.cfg.Execution})
		m.spoiled.CompareAndSwap(nil, &err)
	}
	runtime.Goexit()
}

// MisuseError says that a context or a future was used by a goroutine that is not the coroutine which has control: a
// goroutine that the author started, or a coroutine that used another one's context. It unwraps to ErrMisuse.
type MisuseError struct {
	Instance  string
	Execution uint64
}

// Error names the instance and what to do.
func (e *MisuseError) Error() string {
	return "instance " + e.Instance + ": " + ErrMisuse.Error() +
		": start concurrent work with Go of the context, never with a go statement, and in it use only the context that it is given"
}

// Unwrap gives ErrMisuse.
func (e *MisuseError) Unwrap() error { return ErrMisuse }
