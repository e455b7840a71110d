package instance

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
)

var _ consumer.Turn = (*turn)(nil)

// turnMsg brings a turn back to its instance.
type turnMsg struct {
	turn *turn
	// abandoned: the code still runs and its slot has been taken away. The turn's fields but the instance's own must not
	// be touched: the code may be writing them.
	abandoned bool
}

// Begun implements consumer.Turn.
func (t *turn) Begun() { t.in.host.Counts.Turns.Add(1) }

// Ran implements consumer.Turn.
func (t *turn) Ran() { t.in.host.System.SendLast(t.in.pid, &t.back) }

// Unrun implements consumer.Turn.
func (t *turn) Unrun() {
	t.unrun = true
	t.giveBack()
}

// Blocked implements consumer.Turn.
func (t *turn) Blocked(ran time.Duration) { t.in.host.reportBlocked(t, ran) }

// GivenUp implements consumer.Turn.
func (t *turn) GivenUp() {
	t.in.host.Counts.AbandonedTurns.Add(1)
	t.in.host.Counts.LeakedCoroutines.Add(1)
	t.in.send(&turnMsg{turn: t, abandoned: true})
}

// Late implements consumer.Turn: the machine is closed here, where its code ran.
func (t *turn) Late() { t.in.host.closeMachine(t.machine) }

// Suspect implements consumer.Turn: a turn of a suspect has a lease.
func (t *turn) Suspect() bool { return t.token != "" }

// HushLeft implements consumer.Turn.
func (t *turn) HushLeft() time.Duration { return t.in.part.HushLeft() }
