package pebble

import (
	"github.com/turnstone-dev/turnstone/persistence"
)

func (m *machine) startInstance(c *persistence.StartInstance) persistence.Result {
	if first, known, refusal := m.repeated(c.ID, &c.Request); refusal != nil {
		return persistence.Result{Err: refusal}
	} else if known {
		if m.head(first.IID) == nil {
			return refuse(persistence.NotFound)
		}
		return persistence.Result{IID: first.IID, Seq: first.Seq, Repeated: true}
	}
	if iid := m.resolve(c.ID); iid != 0 {
		if h := m.head(iid); h == nil || !h.Status.Terminal() || c.Reuse != persistence.AllowIfTerminal {
			return m.join(iid, c)
		} else if refusal := m.deleteTree(h); refusal != nil {
			return persistence.Result{Err: refusal}
		}
	}
	h := m.create(c.ID, c.Name, c.Version, persistence.Link{})
	m.setStatus(h, persistence.StatusPending)
	s := &persistence.PendingStart{
		ID: c.ID, IID: h.IID, Execution: 1, Name: c.Name, Version: c.Version, Input: c.Input,
		ExecutionTimeoutMs: c.ExecutionTimeoutMs,
	}
	if c.DelayMs > 0 {
		s.NotBeforeMs = m.now + c.DelayMs
	}
	m.putStart(s)
	seq := m.putMessages(h, c)
	m.remember(c.ID, &c.Request, h.IID, seq)
	return persistence.Result{IID: h.IID, Seq: seq}
}

// join puts the messages of a start into the inbox of the instance that has the id already.
func (m *machine) join(iid persistence.Incarnation, c *persistence.StartInstance) persistence.Result {
	h := m.head(iid)
	if h == nil || h.Status.Terminal() || len(c.Messages) == 0 {
		return persistence.Result{Err: &persistence.Refusal{Code: persistence.AlreadyExists, IID: iid}}
	}
	var bytes uint64
	for _, msg := range c.Messages {
		bytes += uint64(len(msg.Message))
	}
	if refusal := inboxLimit(h, uint64(len(c.Messages)), bytes, c.InboxMax, c.InboxBytesMax); refusal != nil {
		return persistence.Result{Err: refusal}
	}
	seq := m.putMessages(h, c)
	m.remember(c.ID, &c.Request, h.IID, seq)
	return persistence.Result{IID: h.IID, Seq: seq, Joined: true}
}

// putMessages puts the messages of a start into an inbox, and returns the seq of the last one.
func (m *machine) putMessages(h *headRow, c *persistence.StartInstance) (seq uint64) {
	for _, msg := range c.Messages {
		seq = m.putInbox(h, &persistence.InboxItem{
			Form: persistence.ItemMessage, Message: msg.Message, Topic: msg.Topic,
		})
	}
	return seq
}

// create makes the next incarnation, for an id that is free. The caller sets the status, and writes the S row unless the
// first turn is in the same command.
func (m *machine) create(id, name, version string, parent persistence.Link) *headRow {
	h := &headRow{}
	h.ID, h.IID, h.Name, h.Version, h.Parent = id, m.state.NextIID, name, version, parent
	h.CreatedAtMs = m.now
	h.FirstSeq, h.NextSeq, h.FirstExecution = 1, 1, 1
	m.state.NextIID++
	m.beginExecution(h, 1)
	m.heads.add(h)
	m.touch(h)
	m.t.key = appendName(m.t.key[:0], m.p, id)
	encodeIID(m.t.newValue(), h.IID)
	m.t.put(m.t.key, m.t.value)
	m.known.wrote(m.t.key)
	if parent.IID != 0 {
		m.t.key = appendFamily(m.t.key[:0], m.p, m.familyOf(h))
		encodeMark(m.t.newValue())
		m.t.put(m.t.key, m.t.value)
	}
	return h
}

// familyOf returns the F row of a child.
func (m *machine) familyOf(h *headRow) persistence.FamilyRef {
	return persistence.FamilyRef{
		Partition: m.slots[persistence.Slot(h.Parent.ID)], Parent: h.Parent.IID, Child: h.IID,
	}
}

// beginExecution sets the head to the state before the first turn of an execution.
func (m *machine) beginExecution(h *headRow, execution uint64) {
	h.Execution, h.Turn, h.NextEvent, h.LastPart = execution, 0, 1, 0
	h.HistoryEvents, h.HistoryBytes = 0, 0
	h.Previous = h.Chain
	h.Chain = persistence.SeedChain(h.IID, execution, h.Previous)
}

func (m *machine) putStart(s *persistence.PendingStart) {
	m.t.key = appendExecution(m.t.key[:0], m.p, famStart, s.IID, s.Execution)
	encodeStart(m.t.newValue(), s)
	m.t.putBlind(m.t.key, m.t.value)
	m.fx().Starts = append(m.fx().Starts, persistence.StartEffect{
		ID: s.ID, IID: s.IID, Execution: s.Execution, Name: s.Name, Version: s.Version,
		NotBeforeMs: s.NotBeforeMs,
	})
}

func (m *machine) enqueue(c *persistence.Enqueue) persistence.Result {
	if first, known, refusal := m.repeated(c.ID, &c.Request); refusal != nil {
		return persistence.Result{Err: refusal}
	} else if known {
		return persistence.Result{IID: first.IID, Seq: first.Seq, Repeated: true}
	}
	h := m.byID(c.ID)
	if h == nil {
		return refuse(persistence.NotFound)
	}
	if h.Status.Terminal() {
		return persistence.Result{Err: &persistence.Refusal{Code: persistence.Ended, IID: h.IID}}
	}
	if refusal := inboxLimit(h, 1, uint64(len(c.Message)), c.InboxMax, c.InboxBytesMax); refusal != nil {
		return persistence.Result{Err: refusal}
	}
	seq := m.putInbox(h, &persistence.InboxItem{
		Form: persistence.ItemMessage, NotBeforeMs: c.NotBeforeMs, Message: c.Message, Topic: c.Topic,
	})
	m.remember(c.ID, &c.Request, h.IID, seq)
	return persistence.Result{IID: h.IID, Seq: seq}
}

// countDropped counts a message that came after the end of its instance.
func (m *machine) countDropped(h *headRow) {
	h.Dropped++
	m.touch(h)
}
