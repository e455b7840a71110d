package step

import (
	"slices"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/replay"
)

// takeArrivals moves buffered messages into the turn: at most most messages with a name; a negative most is no bound. Only
// the turn that creates the instance takes a start. A message with a name stays if an older one of its name stays, so that
// it does not overtake that one.
func (in *Machine) takeArrivals(t *turn.Turn, room func(int) bool, most int) {
	b := &in.buffer
	if len(b.items) == 0 {
		return
	}
	var rest []*arrival.Arrival
	for i, a := range b.items {
		name, named := arrival.NameOf(a)
		if named && (most == 0 || !in.fusable(name)) {
			rest = append(rest, a)
			continue
		}
		if a.State != arrival.Unproposed || a.Start != nil && (in.view.Exists || i > 0) || !room(a.Size) {
			rest = append(rest, b.items[i:]...)
			break
		}
		if a.Start != nil {
			t.TakesStart, t.Name = true, a.Start.StartRequest.Name
		}
		if named {
			most--
		}
		t.Arrivals = append(t.Arrivals, a)
		b.bytes -= a.Size
	}
	b.items = rest
}

// fusable reports whether no message of a name waits in the inbox, beside those that the turn has taken. Then a turn may take
// a buffered message of that name without overtaking an older one.
func (in *Machine) fusable(name replay.ArrivalName) bool {
	p := &in.view.Inbox
	if !in.view.Exists {
		return true
	}
	return p.Reaches(name) && !slices.ContainsFunc(p.Rows, func(item view.Item) bool {
		other, named := replay.NameOf(item.Message)
		return named && other == name
	})
}

// acceptUnwanted accepts into the inbox the buffered messages that the machine is known not to wait for. They start no turn;
// the next turn that has another reason takes them too.
func (in *Machine) acceptUnwanted() (any bool) {
	if !in.view.Inbox.Known {
		return false
	}
	for _, a := range in.buffer.items {
		if a.State != arrival.Unproposed || a.Message == nil {
			continue
		}
		if _, wanted := in.view.Inbox.Wants(a.Message); !wanted {
			in.accept(a)
			any = true
		}
	}
	return any
}

// acceptDeferred makes the arrivals durable that the turn leaves. It returns true while answers are outstanding. It proposes
// them before the turn commits, or a later message of the same name could overtake them. It proposes older messages of the
// same names first, and the start of the instance before all: the turn may have to run again, and the order must hold then.
func (in *Machine) acceptDeferred(t *turn.Turn) (waiting bool) {
	if len(t.Decision.Deferred) == 0 || !slices.ContainsFunc(t.Arrivals, func(a *arrival.Arrival) bool { return a.Deferred }) {
		return false
	}
	in.acceptStartFirst()
	for _, a := range t.Arrivals {
		if a.State == arrival.Unproposed && !a.Proposed && (a.Deferred || t.LeavesLater(a)) {
			a.Proposed = true
			in.accept(a)
		}
		waiting = waiting || a.State == arrival.Accepting || a.State == arrival.Unproposed && (a.Deferred || a.Proposed)
	}
	return waiting
}

// keepLeft puts the messages back into the view that a turn has left, and records which names its machine waits for.
func (in *Machine) keepLeft(t *turn.Turn) {
	if in.view.Head.Status.Terminal() {
		return
	}
	p, d := &in.view.Inbox, t.Decision
	in.host.Counts.Deferred.Add(uint64(len(d.Deferred)))
	for _, at := range d.Deferred {
		if i := at - t.First(); i < len(t.Inbox) {
			p.Restore(t.Inbox[i])
		}
	}
	for _, a := range t.Left {
		if a.State == arrival.Accepted {
			p.Restore(rowOf(a, a.Seq))
		}
	}
	if t.Commit != nil && p.Gap {
		for _, seq := range t.Commit.ConsumedInbox {
			if seq > p.Read {
				p.Holes++
			}
		}
	}
	p.Known, p.Wanted = false, nil
	if d.Outcome == replay.Running && (t.Input.Behind || len(d.Deferred) > 0) {
		p.Known, p.Wanted = true, d.Wanted
	}
}

// idled takes back a turn that has consumed nothing. Nothing is committed; the machine has only told what it waits for.
func (in *Machine) idled(t *turn.Turn) {
	in.turn = nil
	in.become(phaseReady)
	in.resident = t.Machine
	in.keepLease(t)
	in.keepLeft(t)
	in.ran = in.view.Held.Reason != ""
	if t.Passes {
		in.acceptAll() // the next turn would leave these buffered messages too
	}
}

// rowOf returns the inbox row of an accepted arrival.
func rowOf(a *arrival.Arrival, seq uint64) view.Item {
	item := view.Item{Seq: seq, Size: a.Size, Message: a.Message}
	if a.Deliver != nil {
		item.Topic = a.Deliver.Topic
	}
	return item
}
