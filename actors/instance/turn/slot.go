package turn

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/persistence"
)

var _ consumer.Turn = (*Turn)(nil)

// Begun implements consumer.Turn.
func (t *Turn) Begun() { t.Host.Counts.Turns.Add(1) }

// Ran implements consumer.Turn.
func (t *Turn) Ran() { t.Owner.SendLast(&t.Back) }

// Unrun implements consumer.Turn.
func (t *Turn) Unrun() {
	t.NotRun = true
	t.GiveBack()
}

// Blocked implements consumer.Turn.
func (t *Turn) Blocked(ran time.Duration) { t.Host.reportBlocked(t.Head.id, t.Name, t.Version, ran) }

// GivenUp implements consumer.Turn.
func (t *Turn) GivenUp() {
	t.Host.Counts.AbandonedTurns.Add(1)
	t.Host.Counts.LeakedCoroutines.Add(1)
	t.Owner.Send(&Back{Turn: t, Abandoned: true})
}

// Late implements consumer.Turn: the code of a turn that was given up has returned. Late closes the replay machine here, on the
// goroutine on which the code ran.
func (t *Turn) Late() { t.Host.CloseMachine(t.Machine) }

// Suspect implements consumer.Turn. A turn under a lease is a suspect's.
func (t *Turn) Suspect() bool { return t.Token != "" }

// FreshPauseLeft implements consumer.Turn.
func (t *Turn) FreshPauseLeft() time.Duration { return t.Owner.FreshPauseLeft() }

// Proposed takes the journal's answer to the commit and sends it to the instance. The journal calls it on its own goroutine.
func (t *Turn) Proposed(r persistence.Result) {
	t.Committed.Result = r
	t.Owner.Send(&t.Committed)
}
