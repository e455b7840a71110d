package pebble

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

// inboxLimit refuses items for which an inbox has no room; a bound of 0 is none.
func inboxLimit(h *headRow, items, bytes, itemsMax, bytesMax uint64) error {
	if itemsMax > 0 && h.Inbox+items > itemsMax {
		return &persistence.Refusal{Code: persistence.Limit, Size: h.Inbox + items, Max: itemsMax}
	}
	if bytesMax > 0 && h.InboxBytes+bytes > bytesMax {
		return &persistence.Refusal{Code: persistence.Limit, Size: h.InboxBytes + bytes, Max: bytesMax}
	}
	return nil
}

// putInbox writes an item under the next seq of an instance that has not ended.
func (m *machine) putInbox(h *headRow, item *persistence.InboxItem) uint64 {
	item.Seq = h.NextSeq
	h.NextSeq++
	h.Inbox++
	h.InboxBytes += uint64(len(item.Message))
	m.touch(h)
	if item.Topic != 0 || h.Topics > 0 {
		m.list(h, item)
	}
	m.t.key = appendInbox(m.t.key[:0], m.p, h.IID, item.Seq)
	encodeInbox(m.t.newValue(), item)
	m.t.put(m.t.key, m.t.value)
	m.fx().Inbox = append(m.fx().Inbox, persistence.InboxEffect{
		ID: h.ID, IID: h.IID, Seq: item.Seq, NotBeforeMs: item.NotBeforeMs,
	})
	return item.Seq
}

// topic returns the J row of a topic; that of an empty topic if there is none.
func (m *machine) topic(h *headRow, t persistence.Topic) persistence.TopicRow {
	fresh := persistence.TopicRow{Topic: t, First: 1, Next: 1}
	m.t.key = appendTopic(m.t.key[:0], m.p, h.IID, t)
	row, ok := m.t.get(m.t.key)
	if !ok {
		return fresh
	}
	got, err := decodeTopic(t, row)
	if err != nil {
		m.t.corrupt(m.t.key, err)
		return fresh
	}
	return got
}

// putTopic writes a J row, or removes it if the topic has no rows left.
func (m *machine) putTopic(h *headRow, t *persistence.TopicRow) {
	m.t.key = appendTopic(m.t.key[:0], m.p, h.IID, t.Topic)
	if t.Live == 0 {
		m.t.del(m.t.key)
		return
	}
	encodeTopic(m.t.newValue(), t)
	m.t.put(m.t.key, m.t.value)
}

// list gives an item the next ordinal of its topic.
func (m *machine) list(h *headRow, item *persistence.InboxItem) {
	t := m.topic(h, item.Topic)
	item.Ordinal = t.Next
	t.Next++
	t.Live++
	h.Topics++
	m.putTopic(h, &t)
	m.t.key = appendOrdinal(m.t.key[:0], m.p, h.IID, item.Topic, item.Ordinal)
	encodeOrdinal(m.t.newValue(), item.Seq)
	m.t.put(m.t.key, m.t.value)
}

// inboxEntry is what takeInbox must know of an inbox row to remove it.
type inboxEntry struct {
	topic   persistence.Topic
	ordinal uint64
	size    int
}

func decodeInboxEntry(row []byte) (inboxEntry, error) {
	d := rowcode.NewDec(row, inboxVersion)
	d.U()
	d.I()
	x := inboxEntry{topic: persistence.Topic(d.U()), ordinal: d.U(), size: d.Skip()}
	d.U()
	d.U()
	d.Skip()
	if d.Version() >= 2 {
		d.U()
	}
	return x, d.Done()
}

// consumable reports whether an inbox row exists, and notes it for takeInbox.
func (m *machine) consumable(iid persistence.Incarnation, seq uint64) bool {
	m.t.key = appendInbox(m.t.key[:0], m.p, iid, seq)
	row, ok := m.t.get(m.t.key)
	if !ok {
		return false
	}
	x, err := decodeInboxEntry(row)
	if err != nil {
		m.t.corrupt(m.t.key, err)
	}
	m.entries = append(m.entries, x)
	return true
}

// takeInbox removes the rows that consumable has noted, in the same order.
func (m *machine) takeInbox(h *headRow, seqs []uint64) {
	if len(seqs) == 0 {
		return
	}
	dense := h.NextSeq-h.FirstSeq == h.Inbox
	var t persistence.TopicRow // the present topic; it is written when a row of another topic comes
	for i, seq := range seqs {
		m.t.key = appendInbox(m.t.key[:0], m.p, h.IID, seq)
		m.t.del(m.t.key)
		x := &m.entries[i]
		h.InboxBytes -= uint64(x.size)
		if x.ordinal == 0 {
			continue
		}
		if t.Next == 0 || t.Topic != x.topic {
			if t.Next != 0 {
				m.putTopic(h, &t)
			}
			t = m.topic(h, x.topic)
		}
		m.unlist(h, &t, x.ordinal)
	}
	if t.Next != 0 {
		m.putTopic(h, &t)
	}
	h.Inbox -= uint64(len(seqs))
	m.advance(h, seqs, dense)
}

// unlist removes an ordinal from its topic. Ordinals behind it that were removed out of order before are skipped, once.
func (m *machine) unlist(h *headRow, t *persistence.TopicRow, ordinal uint64) {
	m.t.key = appendOrdinal(m.t.key[:0], m.p, h.IID, t.Topic, ordinal)
	m.t.del(m.t.key)
	t.Live--
	h.Topics--
	if ordinal != t.First {
		return
	}
	t.First++
	for t.Live > 0 && t.Next-t.First > t.Live {
		m.t.key = appendOrdinal(m.t.key[:0], m.p, h.IID, t.Topic, t.First)
		if m.t.has(m.t.key) {
			return
		}
		t.First++
	}
}

// advance moves the inbox's first seq past the consumed rows. In a dense inbox the next seq is known; else it skips, once,
// seqs that were consumed out of order before.
func (m *machine) advance(h *headRow, consumed []uint64, dense bool) {
	switch {
	case h.Inbox == 0:
		h.FirstSeq = h.NextSeq
	case !slices.Contains(consumed, h.FirstSeq):
	case dense:
		if !slices.IsSorted(consumed) {
			consumed = slices.Sorted(slices.Values(consumed))
		}
		for _, seq := range consumed {
			if seq != h.FirstSeq {
				break
			}
			h.FirstSeq++
		}
	default:
		prefix := appendInstance(nil, m.p, famInbox, h.IID)
		key, ok := m.t.firstFrom(prefix, appendInbox(nil, m.p, h.IID, h.FirstSeq+1))
		if !ok {
			m.t.corrupt(prefix, errOrphan)
			return
		}
		_, _, r := splitKey(key)
		r.iid()
		h.FirstSeq = r.u64()
	}
}

// clearInbox removes the rows that an ended instance did not consume.
func (m *machine) clearInbox(h *headRow) {
	if h.Inbox == 0 {
		return
	}
	m.clear(famInbox, h.IID, h.Inbox, func([]byte) {})
	if h.Topics > 0 {
		m.clear(famTopic, h.IID, h.Topics, func([]byte) {})
		m.clear(famOrdinal, h.IID, h.Topics, func([]byte) {})
	}
	h.Inbox, h.Topics, h.InboxBytes, h.FirstSeq = 0, 0, 0, h.NextSeq
}
