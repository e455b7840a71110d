package turn

import (
	"slices"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/view"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// First returns the position of the first inbox row among the messages of the turn.
func (t *Turn) First() int {
	if t.TakesStart {
		return 1
	}
	return 0
}

// Idle reports whether the turn has consumed nothing. Then there is nothing to commit, and the replay machine is as it was.
func (t *Turn) Idle() bool {
	return t.ForcedEnd == nil && len(t.Decision.Events) == 0 && len(t.Decision.Rejected) == 0
}

// consumedRows returns the seqs of the inbox rows that the turn consumes: all that it was given but those that it leaves.
func (t *Turn) consumedRows() (seqs []uint64) {
	left := t.Decision.Deferred
	for i := range t.Inbox {
		if len(left) > 0 && left[0] == t.First()+i {
			left = left[1:]
			continue
		}
		seqs = append(seqs, t.Inbox[i].Seq)
	}
	return seqs
}

// MarkDeferred marks the arrivals that the turn leaves.
func (t *Turn) MarkDeferred() {
	if len(t.Decision.Deferred) == 0 {
		return
	}
	at := t.First() + len(t.Inbox) + len(t.Timers)
	for _, a := range t.Arrivals {
		if a.Message != nil {
			_, a.Deferred = slices.BinarySearch(t.Decision.Deferred, at)
			at++
		}
	}
}

// LeavesLater reports whether the turn leaves an arrival of the same name.
func (t *Turn) LeavesLater(a *arrival.Arrival) bool {
	name, named := arrival.NameOf(a)
	return named && slices.ContainsFunc(t.Arrivals, func(b *arrival.Arrival) bool {
		other, _ := arrival.NameOf(b)
		return b.Deferred && other == name
	})
}

// Diverges reports whether the turn must not be recorded because the code does not fit the history.
func (t *Turn) Diverges() bool {
	return t.Decision != nil && t.Decision.Divergence != nil && t.ForcedEnd == nil && !t.Host.Config.FailOnNondeterminism && !t.Consumer.FailOnNondeterminism
}

// TakeOnly makes the turn consume only one message of the inbox, beside the start.
func (t *Turn) TakeOnly(item *view.Item) {
	t.Inbox, t.Timers = []view.Item{*item}, nil
}

// Has reports whether the turn has taken the arrival.
func (t *Turn) Has(a *arrival.Arrival) bool {
	for _, other := range t.Arrivals {
		if other == a {
			return true
		}
	}
	return false
}

// EndUnread decides the end of an instance without a replay machine, because its history cannot be read: one event with the
// failure. why is the reason that it gives the children that it cancels.
func (t *Turn) EndUnread(v *view.View, why string, nowMs int64, entropy [16]byte) {
	d := t.ForcedEnd
	next := max(v.Head.NextEvent, 1)
	t.Input.TimeMs, t.Input.Entropy = nowMs, entropy
	t.Decision = newDecision()
	*t.Decision = replay.Decision{
		Outcome: replay.Failed, Failure: d.Why, Origin: d.Origin,
		Events: []*turnpb.Event{{Id: next, Kind: &turnpb.Event_Failed{Failed: &turnpb.OrchestrationFailed{Failure: d.Why}}}},
	}
	for _, child := range v.Children {
		if turnpb.ChildPolicy(child.Policy) != turnpb.ChildPolicy_CHILD_POLICY_ABANDON {
			t.Decision.CancelledChildren = append(t.Decision.CancelledChildren, replay.CancelledChild{
				Event: child.Event, Instance: child.ID, Reason: why,
			})
		}
	}
	t.buildCommit()
}

// Detach moves the arrivals that the turn leaves from Arrivals to Left. Their senders have been answered, and the commit must
// not name them.
func (t *Turn) Detach() {
	if len(t.Decision.Deferred) == 0 {
		return
	}
	t.Arrivals = slices.DeleteFunc(t.Arrivals, func(a *arrival.Arrival) bool {
		if a.Deferred {
			t.Left = append(t.Left, a)
		}
		return a.Deferred
	})
}
