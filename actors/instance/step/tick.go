package step

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/turn"
)

// tickKind says what a tick is for.
type tickKind uint8

const (
	TickPause  tickKind = iota // a pause ends
	TickWake                   // look again for something to do
	tickCommit                 // propose the commit of turn again
)

// TickMsg is a tick of a clock. Each is made for one wait, so one that comes after its wait has ended is known to be late.
type TickMsg struct {
	Kind tickKind
	turn *turn.Turn
}

// arm has a tick sent after a while.
func (in *Machine) arm(m *TickMsg, d time.Duration) {
	in.emit(Effect{Kind: EffectArm, Message: m, Wait: d})
}

// disarm ends a wait. The tick may come nevertheless.
func (in *Machine) disarm(m *TickMsg) {
	in.emit(Effect{Kind: EffectDisarm, Message: m})
	in.asked--
}

// ticked takes a tick.
func (in *Machine) ticked(m *TickMsg) {
	switch {
	case m.Kind == tickCommit && in.turn == m.turn && in.phase == phaseCommitting:
		in.proposeCommit(m.turn)
	case m.Kind == TickWake && in.later == m:
		in.leaving, in.later = false, nil
	case m.Kind == TickPause && in.pausing == m:
		in.paused()
	}
}
