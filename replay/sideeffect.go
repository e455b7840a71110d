package replay

import "bytes"

// SideEffect gives what compute returned when the code came here for the first time; nil if that was empty. The value is
// recorded with the turn. On replay it is what history has, and compute does not run. compute must not use the context and
// must return at once. A panic of it spoils the turn, as a misuse does: a replay could not give what was computed, nor panic
// again, so nothing of the turn may be recorded.
//
// It does not block, neither in a fresh turn nor on replay, so other coroutines run in the same order in both. The values
// are taken in the order of the calls: that is the order of their events, since an event is matched with the oldest action.
func (c *Context) SideEffect(compute func() []byte) []byte {
	m := c.m
	m.enter(c.co)
	value, known := m.recall()
	if !known {
		value = bytes.Clone(c.co.compute(compute))
		m.checkPayload("side effect value", value)
	}
	m.emit(c.co, &Future{kind: opSideEffect, input: value})
	if len(value) == 0 {
		return nil
	}
	return bytes.Clone(value)
}

// recall gives the next recorded value that the code has not asked for; false if there is none.
func (m *Machine) recall() (value []byte, ok bool) {
	if len(m.effects) == 0 || plantedEffect && !m.verifying {
		return nil, false
	}
	value, m.effects = m.effects[0], m.effects[1:]
	return value, true
}

// compute runs a function of the author's that must not ask for anything: it does not run on replay.
func (co *coroutine) compute(f func() []byte) []byte {
	co.computing = true
	returned := false
	defer func() {
		co.computing = false
		if !returned {
			co.m.noEffect(co, recover())
		}
	}()
	value := f()
	returned = true
	return value
}

// noEffect spoils the turn if the function of a side effect panicked. It may also have been ended by a misuse.
func (m *Machine) noEffect(co *coroutine, panicked any) {
	if panicked != nil {
		m.misusedBy(&MisuseError{SideEffect: true, Panic: panicText(panicked)}, co.site)
	}
}
