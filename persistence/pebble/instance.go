package pebble

import (
	"github.com/turnstone-dev/turnstone/persistence"
)

func (m *machine) startInstance(c *persistence.StartInstance) persistence.Result {
	if first, ok := m.remembered(c.ID, c.RequestKey); ok {
		return persistence.Result{IID: first.IID, Repeated: true}
	}
	if iid := m.resolve(c.ID); iid != 0 {
		return persistence.Result{Err: &persistence.Refusal{Code: persistence.AlreadyExists, IID: iid}}
	}
	h := m.create(c.ID, c.Name, c.Version, persistence.Link{})
	m.setStatus(h, persistence.StatusPending)
	m.putStart(&persistence.PendingStart{
		ID: c.ID, IID: h.IID, Execution: 1, Name: c.Name, Version: c.Version, Input: c.Input,
	})
	m.remember(c.ID, c.RequestKey, h.IID, 0)
	return persistence.Result{IID: h.IID}
}

// create takes the next incarnation for an id that is free. The caller sets the status, and writes the S row unless
// the first turn is in the same command.
func (m *machine) create(id, name, version string, parent persistence.Link) *headRow {
	h := &headRow{}
	h.ID, h.IID, h.Name, h.Version, h.Parent = id, m.state.NextIID, name, version, parent
	h.CreatedAtMs = m.now
	h.NextSeq = 1
	m.state.NextIID++
	m.beginExecution(h, 1)
	m.heads.add(h)
	m.touch(h)
	m.t.key = appendName(m.t.key[:0], m.p, id)
	encodeIID(m.t.fresh(), h.IID)
	m.t.put(m.t.key, m.t.value)
	m.known.wrote(m.t.key)
	return h
}

// beginExecution sets the head to before the first turn of an execution.
func (m *machine) beginExecution(h *headRow, execution uint64) {
	h.Execution, h.Turn, h.NextEvent, h.LastPart = execution, 0, 1, 0
	h.HistoryEvents, h.HistoryBytes = 0, 0
	h.Chain = persistence.SeedChain(h.IID, execution)
}

func (m *machine) putStart(s *persistence.PendingStart) {
	m.t.key = appendExecution(m.t.key[:0], m.p, famStart, s.IID, s.Execution)
	encodeStart(m.t.fresh(), s)
	m.t.putBlind(m.t.key, m.t.value)
	m.fx().Starts = append(m.fx().Starts, persistence.StartEffect{
		ID: s.ID, IID: s.IID, Execution: s.Execution, Name: s.Name, Version: s.Version,
	})
}

func (m *machine) enqueue(c *persistence.Enqueue) persistence.Result {
	if first, ok := m.remembered(c.ID, c.RequestKey); ok {
		return persistence.Result{IID: first.IID, Seq: first.Seq, Repeated: true}
	}
	h := m.byID(c.ID)
	if h == nil {
		return refuse(persistence.NotFound)
	}
	if h.Status.Terminal() {
		m.drop(h)
		m.remember(c.ID, c.RequestKey, h.IID, 0)
		return persistence.Result{IID: h.IID}
	}
	if c.InboxMax > 0 && h.Inbox >= c.InboxMax {
		return persistence.Result{Err: &persistence.Refusal{Code: persistence.Limit, Size: h.Inbox + 1, Max: c.InboxMax}}
	}
	seq := m.putInbox(h, &persistence.InboxItem{
		Form: persistence.ItemMessage, NotBeforeMs: c.NotBeforeMs, Message: c.Message,
	})
	m.remember(c.ID, c.RequestKey, h.IID, seq)
	return persistence.Result{IID: h.IID, Seq: seq}
}

// drop counts a message that came too late.
func (m *machine) drop(h *headRow) {
	h.Dropped++
	m.touch(h)
}

// putInbox gives an item the next seq of an instance that has not ended.
func (m *machine) putInbox(h *headRow, item *persistence.InboxItem) uint64 {
	item.Seq = h.NextSeq
	h.NextSeq++
	h.Inbox++
	m.touch(h)
	m.t.key = appendInbox(m.t.key[:0], m.p, h.IID, item.Seq)
	encodeInbox(m.t.fresh(), item)
	m.t.put(m.t.key, m.t.value)
	m.fx().Inbox = append(m.fx().Inbox, persistence.InboxEffect{
		ID: h.ID, IID: h.IID, Seq: item.Seq, NotBeforeMs: item.NotBeforeMs,
	})
	return item.Seq
}

// remembered finds the first answer to a request key, if it has not expired.
func (m *machine) remembered(id, key string) (persistence.RequestItem, bool) {
	if key == "" {
		return persistence.RequestItem{}, false
	}
	r, ok := m.request(id, key)
	return r, ok && m.now < r.ExpiresAtMs
}

func (m *machine) request(id, key string) (persistence.RequestItem, bool) {
	m.t.key = appendRequest(m.t.key[:0], m.p, id, key)
	if m.known.absent(m.t.key) {
		return persistence.RequestItem{}, false
	}
	row, ok := m.t.get(m.t.key)
	if !ok {
		return persistence.RequestItem{}, false
	}
	r, err := decodeRequest(id, key, row)
	if err != nil {
		m.t.corrupt(m.t.key, err)
		return persistence.RequestItem{}, false
	}
	return r, true
}

func (m *machine) remember(id, key string, iid persistence.Incarnation, seq uint64) {
	if key == "" {
		return
	}
	m.t.key = appendRequest(m.t.key[:0], m.p, id, key)
	encodeRequest(m.t.fresh(), &persistence.RequestItem{
		IID: iid, Seq: seq, ExpiresAtMs: m.now + persistence.RequestTTLMs,
	})
	m.t.put(m.t.key, m.t.value)
	m.known.wrote(m.t.key)
}

func (m *machine) sweep(c *persistence.Sweep) persistence.Result {
	for _, ref := range c.Requests {
		if r, ok := m.request(ref.ID, ref.Key); ok && r.ExpiresAtMs <= m.now {
			m.t.key = appendRequest(m.t.key[:0], m.p, ref.ID, ref.Key)
			m.t.del(m.t.key)
		}
	}
	return persistence.Result{}
}
