package replay

import (
	"slices"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// arrival is a raised event or a queue message that no wait has taken yet.
type arrival struct {
	event uint64 // its place in history
	order uint64 // counts arrivals of the execution, of both kinds
	data  []byte
}

// mailbox is one name: its waits, and the arrivals that no wait has taken, both oldest first.
//
// Invariant: kept is empty while a wait that may take kept arrivals is active.
type mailbox struct {
	waits []*Future
	kept  []arrival
}

// mailboxes are a name space: raised events have one, queues have another.
type mailboxes map[string]*mailbox

func (b *mailboxes) get(name string) *mailbox {
	if *b == nil {
		*b = make(mailboxes)
	}
	m := (*b)[name]
	if m == nil {
		m = &mailbox{}
		(*b)[name] = m
	}
	return m
}

// first is the wait that the next arrival goes to; nil if none is active.
func (m *mailbox) first() *Future {
	if m == nil || len(m.waits) == 0 {
		return nil
	}
	return m.waits[0]
}

// awaited reports whether the next arrival goes to a wait.
func (m *mailbox) awaited() bool { return m.first() != nil }

// tidy forgets a name that has nothing.
func (b mailboxes) tidy(name string, m *mailbox) {
	if len(m.waits) == 0 && len(m.kept) == 0 {
		delete(b, name)
	}
}

// arrive gives an arrival to the oldest active wait of its name, or keeps it. It returns the wait that took it.
func (b *mailboxes) arrive(name string, a arrival) *Future {
	m := b.get(name)
	if len(m.waits) == 0 {
		m.kept = append(m.kept, a)
		return nil
	}
	f := m.waits[0]
	m.waits[0] = nil
	m.waits = m.waits[1:]
	b.tidy(name, m)
	return f
}

// subscribe adds a wait. If it may take kept arrivals and one is there, it gets the oldest at once.
func (b *mailboxes) subscribe(f *Future, takesKept bool) (arrival, bool) {
	m := b.get(f.name)
	if takesKept && len(m.kept) > 0 {
		a := m.kept[0]
		if plantedMailbox {
			return a, true
		}
		m.kept[0] = arrival{}
		m.kept = m.kept[1:]
		b.tidy(f.name, m)
		return a, true
	}
	m.waits = append(m.waits, f)
	return arrival{}, false
}

// unsubscribe removes a wait that was given up: it no longer takes a place.
func (b mailboxes) unsubscribe(f *Future) {
	m := b[f.name]
	if m == nil {
		return
	}
	if i := slices.Index(m.waits, f); i >= 0 {
		m.waits = slices.Delete(m.waits, i, i+1)
	}
	b.tidy(f.name, m)
}

type keptArrival struct {
	order   uint64
	carried *turnpb.Carried
}

func (b mailboxes) carry(kind turnpb.ArrivalKind, into []keptArrival) []keptArrival {
	for name, m := range b {
		for _, a := range m.kept {
			into = append(into, keptArrival{a.order, &turnpb.Carried{Kind: kind, Name: name, Data: a.data}})
		}
	}
	return into
}

// carried lists what has arrived and was not taken, in history order across names and kinds.
func carried(events, queues mailboxes) []*turnpb.Carried {
	var all []keptArrival
	all = events.carry(turnpb.ArrivalKind_ARRIVAL_KIND_EVENT, all)
	all = queues.carry(turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE, all)
	slices.SortFunc(all, func(a, b keptArrival) int {
		if a.order < b.order {
			return -1
		}
		return 1
	})
	var out []*turnpb.Carried
	for _, a := range all {
		out = append(out, a.carried)
	}
	return out
}
