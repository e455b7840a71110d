package replay

import (
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// ArrivalName is what a wait asks for, and what orders arrivals: events and queue messages are separate name spaces,
// and within a name the first that came is the first that is taken.
type ArrivalName struct {
	Kind turnpb.ArrivalKind
	Name string
}

// NameOf is the name that a message arrives under; false for a message that is neither a raised event nor a queue
// message. Such a message is never deferred.
func NameOf(msg *turnpb.Message) (ArrivalName, bool) {
	switch k := msg.GetKind().(type) {
	case *turnpb.Message_EventRaised:
		return ArrivalName{turnpb.ArrivalKind_ARRIVAL_KIND_EVENT, k.EventRaised.GetName()}, true
	case *turnpb.Message_QueueMessage:
		return ArrivalName{turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE, k.QueueMessage.GetName()}, true
	default:
		return ArrivalName{}, false
	}
}

// held is what an execution keeps of arrivals that no wait has taken: how many, and the bytes of their names and data.
type held struct {
	messages, bytes int
}

func (h *held) add(name string, data []byte) {
	h.messages++
	h.bytes += len(name) + len(data)
}

func (h *held) remove(name string, data []byte) {
	h.messages--
	h.bytes -= len(name) + len(data)
}

// mustWait reports whether a message is deferred: no wait is open for its name and it does not fit in what is held, or an
// earlier one of its name is deferred. It takes note of the name.
func (m *Machine) mustWait(msg *turnpb.Message) bool {
	n, ok := NameOf(msg)
	if !ok {
		return false
	}
	if _, behind := m.deferred[n]; behind {
		return true
	}
	size := len(n.Name) + len(msg.GetEventRaised().GetData()) + len(msg.GetQueueMessage().GetData())
	if m.fatal == nil && m.mailboxesOf(n.Kind)[n.Name].awaited() {
		return false
	}
	if l := &m.cfg.Limits; m.held.messages < l.Carried && size <= l.CarriedBytes-m.held.bytes {
		return false
	}
	if m.deferred == nil {
		m.deferred = map[ArrivalName]struct{}{}
	}
	m.deferred[n] = struct{}{}
	return true
}

func (m *Machine) mailboxesOf(kind turnpb.ArrivalKind) mailboxes {
	if kind == turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE {
		return m.queues
	}
	return m.events
}

// holdUnapplied counts an arrival that a turn which has failed records and does not apply, so that it records no more
// of them than any other turn.
func (m *Machine) holdUnapplied(e *turnpb.Event) {
	switch k := e.GetKind().(type) {
	case *turnpb.Event_ExternalEvent:
		m.held.add(k.ExternalEvent.GetName(), k.ExternalEvent.GetData())
	case *turnpb.Event_QueueEventDelivered:
		m.held.add(k.QueueEventDelivered.GetName(), k.QueueEventDelivered.GetData())
	}
}

// listWanted lists the names that open waits ask for, if there may be a message for one of them.
func (m *Machine) listWanted(behind bool) {
	m.deferred = nil
	if !behind && len(m.d.Deferred) == 0 {
		return
	}
	for _, e := range m.open.all {
		if e.f == nil {
			continue
		}
		kind := turnpb.ArrivalKind_ARRIVAL_KIND_EVENT
		switch e.f.kind {
		case opQueue:
			kind = turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE
		case opWait:
		default:
			continue
		}
		if m.mailboxesOf(kind)[e.f.name].first() == e.f { // once for each name
			m.d.Wanted = append(m.d.Wanted, ArrivalName{kind, e.f.name})
		}
	}
}
