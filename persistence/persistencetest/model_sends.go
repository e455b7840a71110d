package persistencetest

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// send fills in the sender, and hands the message over or puts it into the outbox.
func (m *Model) send(from *persistence.Head, s persistence.Send) {
	msg := persistence.OutboxMessage{
		Kind: s.Kind, To: s.To, Link: s.Link, Name: s.Name, Version: s.Version, Input: s.Input, Message: s.Message,
		ExecutionTimeoutMs: s.ExecutionTimeoutMs, Topic: s.Topic, InboxMax: s.InboxMax, InboxBytesMax: s.InboxBytesMax,
	}
	if s.DelayMs > 0 {
		msg.NotBeforeMs = m.now + s.DelayMs
	}
	switch s.Kind {
	case persistence.SendStartChild, persistence.SendCancel, persistence.SendMessage, persistence.SendAwait, persistence.SendUnawait:
		msg.Link.ID, msg.Link.IID = from.ID, from.IID
		if s.Kind == persistence.SendStartChild {
			from.Spread = from.Spread || m.home(s.To) != m.partition
			from.Family = from.Family || m.home(s.To) == m.partition
		}
	case persistence.SendStartDetached:
		msg.Link = persistence.Link{}
	}
	m.post(msg)
}

func (m *Model) post(msg persistence.OutboxMessage) {
	to := m.home(msg.To)
	if to == m.partition {
		m.receive(msg)
		return
	}
	m.sent[to]++
	m.outbox[to] = append(m.outbox[to], persistence.OutboxItem{To: to, Seq: m.sent[to], Message: msg.Encode()})
	m.effects.Outbox = append(m.effects.Outbox, persistence.OutboxEffect{To: to, Seq: m.sent[to]})
}

func (m *Model) receive(msg persistence.OutboxMessage) {
	head := m.heads[m.names[msg.To]]
	plain := persistence.InboxItem{Form: persistence.ItemMessage, Message: msg.Message}
	switch msg.Kind {
	case persistence.SendStartChild:
		if head == nil {
			m.create(&msg, msg.Link)
		} else if head.Parent != msg.Link {
			m.post(persistence.OutboxMessage{
				Kind: persistence.SendChildExists, To: msg.Link.ID, Link: msg.Link, ChildID: msg.To,
			})
		}
	case persistence.SendStartDetached:
		if head == nil {
			m.create(&msg, persistence.Link{})
		}
	case persistence.SendAnswer:
		m.putIf(head, head != nil && head.IID == msg.Link.IID, plain)
	case persistence.SendCancel:
		m.putIf(head, head != nil && head.Parent == msg.Link, plain)
	case persistence.SendMessage:
		outcome := persistence.SendDelivered
		switch {
		case head == nil:
			outcome = persistence.SendNotFound
		case head.Status.Terminal():
			outcome = persistence.SendTooLate
		case roomFor(head, 1, len(msg.Message), msg.InboxMax, msg.InboxBytesMax) != nil:
			outcome = persistence.SendBusy
		default:
			plain.Topic = msg.Topic
			m.put(head, plain)
		}
		m.post(persistence.OutboxMessage{Kind: persistence.SendEnded, To: msg.Link.ID, Link: msg.Link, Outcome: outcome})
	case persistence.SendEnded:
		m.putIf(head, head != nil && head.IID == msg.Link.IID, persistence.InboxItem{
			Form: persistence.ItemSendEnded, Execution: msg.Link.Execution, Event: msg.Link.Event, Outcome: msg.Outcome,
		})
	case persistence.SendAwait, persistence.SendUnawait, persistence.SendAwaited:
		m.await(msg, head)
	case persistence.SendChildExists:
		m.putIf(head, head != nil && head.IID == msg.Link.IID, persistence.InboxItem{
			Form: persistence.ItemChildExists, Execution: msg.Link.Execution, Event: msg.Link.Event, ChildID: msg.ChildID,
		})
	}
}

// putIf puts an item into the inbox of an instance that is meant and runs; else it is dropped, and counted if there is
// an instance to count it.
func (m *Model) putIf(head *persistence.Head, meant bool, item persistence.InboxItem) {
	switch {
	case head == nil:
	case !meant || head.Status.Terminal():
		head.Dropped++
	default:
		m.put(head, item)
	}
}

// deliver takes what is above the mark. Messages that start beyond the next one would leave a hole: refused.
func (m *Model) deliver(c *persistence.Deliver) persistence.Result {
	if c.FirstSeq > m.received[c.From]+1 || c.From == m.partition || int(c.From) >= m.partitions {
		return refuse(persistence.Conflict)
	}
	fresh := c.Messages // what came already is not looked at again
	for i := range c.Messages {
		if c.FirstSeq+uint64(i) <= m.received[c.From] {
			fresh = c.Messages[i+1:]
		}
	}
	var messages []persistence.OutboxMessage
	for _, row := range fresh {
		msg, err := persistence.DecodeOutboxMessage(row)
		if err != nil {
			return refuse(persistence.Conflict)
		}
		messages = append(messages, msg)
	}
	for _, msg := range messages {
		m.received[c.From]++
		m.receive(msg)
	}
	return persistence.Result{Mark: m.received[c.From]}
}

func (m *Model) outboxAck(c *persistence.OutboxAck) persistence.Result {
	m.outbox[c.To] = slices.DeleteFunc(m.outbox[c.To], func(o persistence.OutboxItem) bool { return o.Seq <= c.Through })
	return persistence.Result{}
}
