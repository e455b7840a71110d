package pebble

import (
	"github.com/turnstone-dev/turnstone/persistence"
)

// sendFrom sends a message with its sender. execution is that of the turn.
func (m *machine) sendFrom(h *headRow, execution uint64, s *persistence.Send) {
	o := persistence.OutboxMessage{
		Kind: s.Kind, To: s.To, Link: s.Link, Name: s.Name, Version: s.Version, Input: s.Input, Message: s.Message,
		ExecutionTimeoutMs: s.ExecutionTimeoutMs, Topic: s.Topic, InboxMax: s.InboxMax, InboxBytesMax: s.InboxBytesMax,
	}
	if s.DelayMs > 0 {
		o.NotBeforeMs = m.now + s.DelayMs
	}
	switch s.Kind {
	case persistence.SendStartChild, persistence.SendCancel, persistence.SendMessage, persistence.SendAwait,
		persistence.SendUnawait:
		o.Link.ID, o.Link.IID = h.ID, h.IID
		if s.Kind == persistence.SendStartChild {
			near := m.slots[persistence.Slot(s.To)] == m.p
			h.Family, h.Spread = h.Family || near, h.Spread || !near
			m.touch(h)
		}
	case persistence.SendStartDetached:
		o.Link = persistence.Link{}
	}
	m.send(&o)
}

// send delivers a message if its receiver belongs to this partition, and else puts it into the outbox.
func (m *machine) send(o *persistence.OutboxMessage) {
	to := m.slots[persistence.Slot(o.To)]
	if to == m.p {
		m.receive(o)
		return
	}
	peer := m.state.peer(to)
	peer.next++
	m.t.key = appendOutbox(m.t.key[:0], m.p, to, peer.next)
	encodeOutbox(m.t.newValue(), o.Encode())
	m.t.putBlind(m.t.key, m.t.value)
	m.fx().Outbox = append(m.fx().Outbox, persistence.OutboxEffect{To: to, Seq: peer.next})
}

// receive applies a message between instances at its receiver. It refuses none.
func (m *machine) receive(o *persistence.OutboxMessage) {
	h := m.byID(o.To)
	switch o.Kind {
	case persistence.SendStartChild:
		m.receiveStart(h, o)
	case persistence.SendStartDetached:
		if h == nil {
			m.startFrom(o)
		}
	case persistence.SendAnswer:
		m.answer(h, o.Link, &persistence.InboxItem{Form: persistence.ItemMessage, Message: o.Message})
	case persistence.SendChildExists:
		m.answer(h, o.Link, &persistence.InboxItem{
			Form: persistence.ItemChildExists, Execution: o.Link.Execution, Event: o.Link.Event, ChildID: o.ChildID,
		})
	case persistence.SendMessage:
		m.send(&persistence.OutboxMessage{
			Kind: persistence.SendEnded, To: o.Link.ID, Link: o.Link, Outcome: m.receiveMessage(h, o),
		})
	case persistence.SendEnded:
		m.answer(h, o.Link, &persistence.InboxItem{
			Form: persistence.ItemSendEnded, Execution: o.Link.Execution, Event: o.Link.Event, Outcome: o.Outcome,
		})
	case persistence.SendAwait, persistence.SendUnawait, persistence.SendAwaited:
		m.receiveAwait(h, o)
	case persistence.SendCancel:
		switch {
		case h == nil:
		case h.Parent != o.Link || h.Status.Terminal():
			m.countDropped(h)
		default:
			m.putInbox(h, &persistence.InboxItem{Form: persistence.ItemMessage, Message: o.Message})
		}
	}
}

// receiveMessage puts a message of another instance into an inbox, and returns what becomes of it.
func (m *machine) receiveMessage(h *headRow, o *persistence.OutboxMessage) persistence.SendOutcome {
	switch {
	case h == nil:
		return persistence.SendNotFound
	case h.Status.Terminal():
		return persistence.SendTooLate
	case inboxLimit(h, 1, uint64(len(o.Message)), o.InboxMax, o.InboxBytesMax) != nil:
		return persistence.SendBusy
	}
	m.putInbox(h, &persistence.InboxItem{Form: persistence.ItemMessage, Message: o.Message, Topic: o.Topic})
	return persistence.SendDelivered
}

func (m *machine) receiveStart(h *headRow, o *persistence.OutboxMessage) {
	switch {
	case h == nil:
		m.startFrom(o)
	case h.Parent != o.Link:
		m.send(&persistence.OutboxMessage{
			Kind: persistence.SendChildExists, To: o.Link.ID, Link: o.Link, ChildID: o.To,
		})
	}
}

func (m *machine) startFrom(o *persistence.OutboxMessage) {
	h := m.create(o.To, o.Name, o.Version, o.Link)
	m.setStatus(h, persistence.StatusPending)
	m.putStart(&persistence.PendingStart{
		ID: h.ID, IID: h.IID, Execution: 1, Name: o.Name, Version: o.Version, Input: o.Input, Parent: o.Link,
		NotBeforeMs: o.NotBeforeMs, ExecutionTimeoutMs: o.ExecutionTimeoutMs,
	})
}

// answer puts an item into the inbox of the incarnation that a link names, if it runs and the id still belongs to it.
func (m *machine) answer(h *headRow, link persistence.Link, item *persistence.InboxItem) {
	switch {
	case h == nil:
	case h.IID != link.IID || h.Status.Terminal():
		m.countDropped(h)
	default:
		m.putInbox(h, item)
	}
}

func (m *machine) deliver(c *persistence.Deliver) persistence.Result {
	if int(c.From) >= m.partitions || c.From == m.p {
		return refuse(persistence.Conflict)
	}
	mark := m.state.known(c.From).in
	if c.FirstSeq > mark+1 {
		return refuse(persistence.Conflict)
	}
	skip := min(mark+1-c.FirstSeq, uint64(len(c.Messages)))
	messages := make([]persistence.OutboxMessage, 0, len(c.Messages))
	for _, b := range c.Messages[skip:] {
		o, err := persistence.DecodeOutboxMessage(b)
		if err != nil {
			return refuse(persistence.Conflict)
		}
		messages = append(messages, o)
	}
	if len(messages) > 0 {
		mark += uint64(len(messages))
		m.state.peer(c.From).in = mark
	}
	for i := range messages {
		m.receive(&messages[i]) // it may send, to a partition that has no entry yet
	}
	return persistence.Result{Mark: mark}
}

func (m *machine) outboxAck(c *persistence.OutboxAck) persistence.Result {
	peer := m.state.known(c.To)
	through := min(c.Through, peer.next)
	if through <= peer.acked {
		return persistence.Result{}
	}
	if through-peer.acked >= rangeDeletePoints {
		m.t.fail(m.t.batch.DeleteRange(appendOutbox(nil, m.p, c.To, peer.acked+1), appendOutbox(nil, m.p, c.To, through+1), nil))
	} else {
		for seq := peer.acked + 1; seq <= through; seq++ {
			m.t.key = appendOutbox(m.t.key[:0], m.p, c.To, seq)
			m.t.delBlind(m.t.key)
		}
	}
	m.state.peer(c.To).acked = through
	return persistence.Result{}
}
