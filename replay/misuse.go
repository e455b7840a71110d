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
		m.intruded(co)
	}
	m.passed(co)
}

// enter is the same for futures, which any coroutine of the machine may use.
func (f *Future) enter() *coroutine {
	m := f.m
	// What else the machine has may be read only by the goroutine that has control.
	if m.holder.Load() != goroutine() {
		m.misused(f.site)
	}
	co := m.current
	m.passed(co)
	return co
}

// intruded ends a call of a context by another than its coroutine: a query, which uses the contexts of the code, or a misuse.
func (m *Machine) intruded(co *coroutine) {
	if asks := m.querying(); asks != nil {
		asks.refuse()
	}
	m.misused(co.site)
}

// passed ends a coroutine that is being unwound and counts the call of any other.
func (m *Machine) passed(co *coroutine) {
	if co.exiting || co.computing {
		m.barred(co)
	}
	m.calls++
	if m.calls > m.cfg.Limits.Calls && (m.fresh || m.calls > callsDefault) {
		m.overrun(co)
	}
	if len(m.stops) > 0 {
		m.stopCall(co, false)
	}
}

// barred ends a call that a coroutine makes while it is unwound, or while it computes a side effect or answers a query.
func (m *Machine) barred(co *coroutine) {
	if co.asks() {
		co.refuse()
	}
	if !co.exiting {
		m.misusedBy(&MisuseError{SideEffect: true}, co.site)
	}
	runtime.Goexit()
}

// misused marks the machine as spoiled and ends the calling goroutine: nothing that it could be told is true. made is where
// the context's coroutine or the future was made, and may be nil.
func (m *Machine) misused(made *site) { m.misusedBy(&MisuseError{}, made) }

func (m *Machine) misusedBy(err *MisuseError, made *site) {
	err.Instance, err.Execution = m.cfg.Instance, m.cfg.Execution
	err.Site, err.Stack = whereMisused(made)
	if m.spoiled.CompareAndSwap(nil, err) && m.closed.Load() && m.cfg.Stray != nil {
		m.cfg.Stray(err)
	}
	runtime.Goexit()
}

// whereMisused is the site and the stack of a misuse. A goroutine whose go statement calls the engine itself has no frame
// of the author's, but the statement is known. One that the standard library started, such as that of time.AfterFunc, has
// not even that; then what was misused is named.
func whereMisused(made *site) (where, stack string) {
	at, stack := outerSite(), stackText()
	started := creator()
	told := started != nil && !(started.engine && at != nil) // what a coroutine was created by is the engine
	if told && len(stack)+len(createdBy)+len(started.text)+1 <= StackBytesMax {
		stack += createdBy + started.text + "\n"
	}
	switch {
	case at != nil:
		return at.text, stack
	case started != nil && !started.engine:
		return started.text, stack
	case made != nil && !made.engine:
		return siteNobody.text + ", with what was started at " + made.text, stack
	default:
		return siteNobody.text, stack
	}
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
// goroutine that the author started, or a coroutine that used another one's context; or by the function of a side effect, which may not panic either.
// It unwraps to ErrMisuse.
type MisuseError struct {
	Instance  string
	Execution uint64
	// Site is the line of the author's code that did it, as in CallSite: that of the go statement if the statement calls
	// the engine itself. If no code of the author's did, it says where the future was made.
	Site string
	// Stack is the stack of the goroutine that did it, innermost call first, a line each, and then what created
	// the goroutine; its size is bounded.
	Stack string
	// SideEffect: the function of a side effect did it, on the coroutine that has control.
	SideEffect bool
	// Panic: the function of a side effect panicked with this text, so there is no value that a replay could give.
	Panic string
}

// Error names the instance, the place in the code, and what to do.
func (e *MisuseError) Error() string {
	if e.Panic != "" {
		return "instance " + e.Instance + ": the function of a side effect panicked, at " + e.Site + ": " + e.Panic +
			": let it only read and return; what may fail is an activity"
	}
	if e.SideEffect {
		return "instance " + e.Instance + ": the function of a side effect used the orchestration's context, at " + e.Site +
			": it does not run on replay, so let it compute a value and ask for nothing"
	}
	return "instance " + e.Instance + ": " + ErrMisuse.Error() + ", at " + e.Site +
		": start concurrent work with Go of the context, never with a go statement, and in it use only the context that it is given"
}

// Unwrap gives ErrMisuse.
func (e *MisuseError) Unwrap() error { return ErrMisuse }
