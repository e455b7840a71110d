package instance

import "time"

// tickKind says what a tick is for.
type tickKind uint8

const (
	tickPause  tickKind = iota // a pause ends
	tickWake                   // look again for something to do
	tickCommit                 // propose the commit of turn again
)

// tickMsg is a tick of a clock. Each is made for one wait, so one that comes after its wait has ended is known to be late.
type tickMsg struct {
	kind tickKind
	turn *turn
}

// arm has a tick sent after a while.
func (in *core) arm(m *tickMsg, d time.Duration) {
	in.emit(effect{kind: effectArm, message: m, wait: d})
}

// disarm ends a wait. The tick may come nevertheless.
func (in *core) disarm(m *tickMsg) {
	in.emit(effect{kind: effectDisarm, message: m})
	in.asked--
}

// ticked takes a tick.
func (in *core) ticked(m *tickMsg) {
	switch {
	case m.kind == tickCommit && in.turn == m.turn && in.phase == phaseCommitting:
		in.proposeCommit(m.turn)
	case m.kind == tickWake && in.later == m:
		in.leaving, in.later = false, nil
	case m.kind == tickPause && in.pausing == m:
		in.paused()
	}
}
