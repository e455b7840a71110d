package replay

import (
	"errors"
	"runtime"
)

// ErrMisuse is wrapped by Decision.Spoiled.
var ErrMisuse = errors.New("the orchestration's context was used outside the coroutine it was given to")

// enter checks that the caller is the coroutine that the context belongs to and that this coroutine has control. Every
// method of Context begins with it, so that nothing of a context ever runs on a goroutine which is not its own: no
// action is emitted there, and no coroutine is parked from there.
func (m *Machine) enter(co *coroutine) {
	if m.holder.Load() != goroutine() || m.current != co {
		m.misused()
	}
	m.passed(co)
}

// enterAny is enter for futures, which any coroutine of the machine may use.
func (m *Machine) enterAny() *coroutine {
	// What else the machine has may be read only by the goroutine that has control.
	if m.holder.Load() != goroutine() {
		m.misused()
	}
	co := m.current
	m.passed(co)
	return co
}

// passed ends a coroutine that is being unwound and counts the call of any other.
func (m *Machine) passed(co *coroutine) {
	if co.exiting {
		runtime.Goexit()
	}
	m.calls++
	if m.calls > m.cfg.Limits.Calls && (m.fresh || m.calls > callsDefault) {
		m.overrun(co)
	}
}

// misused marks the machine as spoiled and ends the calling goroutine: nothing that it could be told is true.
func (m *Machine) misused() {
	err := &MisuseError{Instance: m.cfg.Instance, Execution: m.cfg.Execution, Site: outerSite(), Stack: stackText()}
	if m.spoiled.CompareAndSwap(nil, err) && m.closed.Load() && m.cfg.Stray != nil {
		m.cfg.Stray(err)
	}
	runtime.Goexit()
}

// Spoiled gives the misuse of the context that makes the machine worthless, as a *MisuseError; nil if there was none. It
// may be called by any goroutine at any time: code may misuse the context after Advance has returned, and what the turn
// decided must then not be committed.
func (m *Machine) Spoiled() error {
	if err := m.spoiled.Load(); err != nil {
		return err
	}
	return nil
}

// MisuseError says that a context or a future was used by a goroutine that is not the coroutine which has control: a
// goroutine that the author started, or a coroutine that used another one's context. It unwraps to ErrMisuse.
type MisuseError struct {
	Instance  string
	Execution uint64
	// Site is the line of the author's code that did it, as in CallSite.
	Site string
	// Stack is the stack of the goroutine that did it, innermost call first, a line each; its size is bounded.
	Stack string
}

// Error names the instance, the place in the code, and what to do.
func (e *MisuseError) Error() string {
	return "instance " + e.Instance + ": " + ErrMisuse.Error() + ", at " + e.Site +
		": start concurrent work with Go of the context, never with a go statement, and in it use only the context that it is given"
}

// Unwrap gives ErrMisuse.
func (e *MisuseError) Unwrap() error { return ErrMisuse }
