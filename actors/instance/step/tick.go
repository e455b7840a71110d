package step

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/turn"
)

// tickKind says which wait a tick ends.
type tickKind uint8

const (
	TickPause  tickKind = iota // a pause ends
	TickWake                   // the instance looks again for something to do
	tickCommit                 // the commit of turn is proposed again
)

// TickMsg is the tick that ends a wait. Each wait has its own, so the machine recognizes and ignores a tick that comes after
// its wait has ended.
type TickMsg struct {
	Kind tickKind
	turn *turn.Turn
}

// arm starts a wait: its tick comes after d.
func (in *Machine) arm(m *TickMsg, d time.Duration) {
	in.emit(Effect{Kind: EffectArm, Message: m, Wait: d})
}

// disarm ends a wait early. The tick may still come if it is on its way already.
func (in *Machine) disarm(m *TickMsg) {
	in.emit(Effect{Kind: EffectDisarm, Message: m})
	in.asked--
}

// ticked ends the wait that the tick was armed for; a late tick does nothing.
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
