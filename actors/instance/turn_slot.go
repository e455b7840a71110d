package instance

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/persistence"
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
func (t *turn) Begun() { t.host.Counts.Turns.Add(1) }

// Ran implements consumer.Turn.
func (t *turn) Ran() { t.owner.host.System.SendLast(t.owner.pid, &t.back) }

// Unrun implements consumer.Turn.
func (t *turn) Unrun() {
	t.unrun = true
	t.giveBack()
}

// Blocked implements consumer.Turn.
func (t *turn) Blocked(ran time.Duration) { t.host.reportBlocked(t, ran) }

// GivenUp implements consumer.Turn.
func (t *turn) GivenUp() {
	t.host.Counts.AbandonedTurns.Add(1)
	t.host.Counts.LeakedCoroutines.Add(1)
	t.owner.send(&turnMsg{turn: t, abandoned: true})
}

// Late implements consumer.Turn: the machine is closed here, where its code ran.
func (t *turn) Late() { t.host.closeMachine(t.machine) }

// Suspect implements consumer.Turn: a turn of a suspect has a lease.
func (t *turn) Suspect() bool { return t.token != "" }

// HushLeft implements consumer.Turn.
func (t *turn) HushLeft() time.Duration { return t.owner.part.HushLeft() }

// proposed takes the result of the commit, on the journal's goroutine.
func (t *turn) proposed(r persistence.Result) {
	t.committed.result = r
	t.owner.send(&t.committed)
}
