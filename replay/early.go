package replay

import "github.com/turnstone-dev/turnstone/internal/failure"

// MayEndEarly lets the code end where history goes on: what history has, and code never asked for, is given up. By default
// such an end does not fit history. Code calls it before it asks for anything.
func (c *Context) MayEndEarly() {
	c.m.enter(c.co)
	c.m.mayEndEarly = true
}

// endedEarly reports whether the code, or the last undo step, has ended by itself, and not because the machine stopped it.
// Then a schedule event that follows is one that it never asked for.
func (m *Machine) endedEarly() bool {
	switch {
	case m.mayEndEarly || m.fatal != nil || m.codeless:
		return false
	case m.cleanup != nil:
		return m.cleanup.over
	default:
		return m.code == codeReturned || m.panicked != nil
	}
}

// howEnded says how the code ended that asked for nothing more; empty if it has not.
func (m *Machine) howEnded() string {
	switch {
	case m.next != nil:
		return " than to continue as new" + m.next.at()
	case !m.endedEarly():
		return ""
	case m.cleanup != nil:
		return ": its undo steps had ended"
	case m.panicked != nil:
		return ": it had failed, " + failure.Display(m.panicked)
	case m.failed != nil:
		return ": it had failed, " + failure.Display(m.failed)
	default:
		return ": it had returned"
	}
}
