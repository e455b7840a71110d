package instance

import (
	"slices"

	"github.com/turnstone-dev/turnstone/replay"
)

// takeArrivals moves buffered messages into the turn: at most so many with a name, unless that is negative. A start is
// taken only by the turn that makes its instance, and a message with a name only if no older one of its name stays behind.
func (in *core) takeArrivals(t *turn, room func(int) bool, most int) {
	b := &in.buffer
	if len(b.items) == 0 {
		return
	}
	var rest []*arrival
	for i, a := range b.items {
		name, named := arrivalName(a)
		if named && (most == 0 || !in.fusable(name)) {
			rest = append(rest, a)
			continue
		}
		if a.state != arrivalUnproposed || a.start != nil && (in.view.exists || i > 0) || !room(a.size) {
			rest = append(rest, b.items[i:]...)
			break
		}
		if a.start != nil {
			t.takesStart, t.name = true, a.start.req.Name
		}
		if named {
			most--
		}
		t.arrivals = append(t.arrivals, a)
		b.bytes -= a.size
	}
	b.items = rest
}

func arrivalName(a *arrival) (replay.ArrivalName, bool) {
	if a.message == nil {
		return replay.ArrivalName{}, false
	}
	return replay.NameOf(a.message)
}

// fusable says that no message of a name waits in the inbox, beside those that the turn has taken.
func (in *core) fusable(name replay.ArrivalName) bool {
	p := &in.view.inbox
	if !in.view.exists {
		return true
	}
	return p.reaches(name) && !slices.ContainsFunc(p.rows, func(item inboxItem) bool {
		other, named := replay.NameOf(item.message)
		return named && other == name
	})
}

// acceptUnwanted sends messages to the inbox that the machine is known not to wait for: they come along with the next turn
// that has another reason.
func (in *core) acceptUnwanted() (any bool) {
	if !in.view.inbox.known {
		return false
	}
	for _, a := range in.buffer.items {
		if a.state != arrivalUnproposed || a.message == nil {
			continue
		}
		if _, wanted := in.view.inbox.wants(a.message); !wanted {
			in.accept(a)
			any = true
		}
	}
	return any
}

// row is the inbox row of an arrival that was accepted.
func (a *arrival) row(seq uint64) inboxItem {
	item := inboxItem{seq: seq, size: a.size, message: a.message}
	if a.deliver != nil {
		item.topic = a.deliver.topic
	}
	return item
}

// first is the position of the first inbox row among the messages of the turn.
func (t *turn) first() int {
	if t.takesStart {
		return 1
	}
	return 0
}

// idle says that the turn has consumed nothing: there is nothing to commit, and the machine is as it was.
func (t *turn) idle() bool {
	return t.forcedEnd == nil && len(t.decision.Events) == 0 && len(t.decision.Rejected) == 0
}

// consumedRows are the inbox rows that the turn does not leave.
func (t *turn) consumedRows() (seqs []uint64) {
	left := t.decision.Deferred
	for i := range t.inbox {
		if len(left) > 0 && left[0] == t.first()+i {
			left = left[1:]
			continue
		}
		seqs = append(seqs, t.inbox[i].seq)
	}
	return seqs
}

// markDeferred notes which arrivals the turn leaves.
func (t *turn) markDeferred() {
	if len(t.decision.Deferred) == 0 {
		return
	}
	at := t.first() + len(t.inbox) + len(t.timers)
	for _, a := range t.arrivals {
		if a.message != nil {
			_, a.deferred = slices.BinarySearch(t.decision.Deferred, at)
			at++
		}
	}
}

// acceptDeferred makes the arrivals durable that the turn leaves, and says whether that goes on. They are proposed before
// the turn is, or a later one of their name could overtake them; older ones of their names are proposed before them, in
// case the turn has to be run again, and so is the start of the instance.
func (in *core) acceptDeferred(t *turn) (waiting bool) {
	if len(t.decision.Deferred) == 0 || !slices.ContainsFunc(t.arrivals, func(a *arrival) bool { return a.deferred }) {
		return false
	}
	in.acceptStartFirst()
	for _, a := range t.arrivals {
		if a.state == arrivalUnproposed && !a.proposed && (a.deferred || t.leavesLater(a)) {
			a.proposed = true
			in.accept(a)
		}
		waiting = waiting || a.state == arrivalAccepting || a.state == arrivalUnproposed && (a.deferred || a.proposed)
	}
	return waiting
}

// leavesLater says that the turn leaves a message of the same name.
func (t *turn) leavesLater(a *arrival) bool {
	name, named := arrivalName(a)
	return named && slices.ContainsFunc(t.arrivals, func(b *arrival) bool {
		other, _ := arrivalName(b)
		return b.deferred && other == name
	})
}

// detach takes the arrivals out of the turn that it leaves: their senders have been answered.
func (t *turn) detach() {
	if len(t.decision.Deferred) == 0 {
		return
	}
	t.arrivals = slices.DeleteFunc(t.arrivals, func(a *arrival) bool {
		if a.deferred {
			t.left = append(t.left, a)
		}
		return a.deferred
	})
}

// keepLeft puts back what a turn has left, and notes what its machine waits for.
func (in *core) keepLeft(t *turn) {
	if in.view.head.Status.Terminal() {
		return
	}
	p, d := &in.view.inbox, t.decision
	in.host.Counts.Deferred.Add(uint64(len(d.Deferred)))
	for _, at := range d.Deferred {
		if i := at - t.first(); i < len(t.inbox) {
			p.restore(t.inbox[i])
		}
	}
	for _, a := range t.left {
		if a.state == arrivalAccepted {
			p.restore(a.row(a.seq))
		}
	}
	if t.commit != nil && p.gap {
		for _, seq := range t.commit.ConsumedInbox {
			if seq > p.read {
				p.holes++
			}
		}
	}
	p.known, p.wanted = false, nil
	if d.Outcome == replay.Running && (t.input.Behind || len(d.Deferred) > 0) {
		p.known, p.wanted = true, d.Wanted
	}
}

// idled takes back a turn that has consumed nothing: the machine has told what it waits for.
func (in *core) idled(t *turn) {
	in.turn = nil
	in.become(phaseReady)
	in.machine = t.machine
	in.keepLease(t)
	in.keepLeft(t)
	in.ran = in.view.held.Reason != ""
	if t.passes {
		in.acceptAll() // the next turn would not take them either
	}
}
