package persistencetest

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

type topicKey struct {
	iid   persistence.Incarnation
	topic persistence.Topic
}

// put gives an inbox item the next seq, and the next ordinal of its topic if it must be listed.
func (m *Model) put(head *persistence.Head, item persistence.InboxItem) uint64 {
	item.Seq = head.NextSeq
	head.NextSeq++
	if item.Topic != 0 || head.Topics > 0 {
		key := topicKey{head.IID, item.Topic}
		t, there := m.topics[key]
		if !there {
			t = persistence.TopicRow{Topic: item.Topic, Next: 1}
		}
		item.Ordinal = t.Next
		t.Next++
		m.topics[key] = t
	}
	m.inbox[head.IID] = append(m.inbox[head.IID], item)
	m.recount(head)
	m.effects.Inbox = append(m.effects.Inbox, persistence.InboxEffect{
		ID: head.ID, IID: head.IID, Seq: item.Seq, NotBeforeMs: item.NotBeforeMs,
	})
	return item.Seq
}

// takeFromInbox deletes rows.
func (m *Model) takeFromInbox(head *persistence.Head, taken func(persistence.InboxItem) bool) {
	m.inbox[head.IID] = slices.DeleteFunc(m.inbox[head.IID], taken)
	m.recount(head)
}

// recount derives from the rows what the head and the topics say of them.
func (m *Model) recount(head *persistence.Head) {
	items := m.inbox[head.IID]
	head.Inbox, head.InboxBytes, head.Topics, head.FirstSeq = uint64(len(items)), 0, 0, head.NextSeq
	if len(items) > 0 {
		head.FirstSeq = items[0].Seq
	}
	live, first := map[persistence.Topic]uint64{}, map[persistence.Topic]uint64{}
	for _, item := range items {
		head.InboxBytes += uint64(len(item.Message))
		if item.Ordinal > 0 {
			head.Topics++
			if live[item.Topic]++; live[item.Topic] == 1 {
				first[item.Topic] = item.Ordinal
			}
		}
	}
	for key, t := range m.topics {
		if key.iid != head.IID {
			continue
		}
		if t.First, t.Live = first[key.topic], live[key.topic]; t.Live == 0 {
			delete(m.topics, key)
		} else {
			m.topics[key] = t
		}
	}
}

// Inbox implements [persistence.Reader].
func (m *Model) Inbox(
	iid persistence.Incarnation, after uint64, limit, maxBytes int,
) (persistence.InboxPage, error) {
	return m.inboxPage(iid, after, limit, maxBytes, func(persistence.InboxItem) bool { return true }), nil
}

// InboxOf implements [persistence.Reader].
func (m *Model) InboxOf(
	iid persistence.Incarnation, topics []persistence.Topic, after uint64, limit, maxBytes int,
) (persistence.InboxPage, error) {
	return m.inboxPage(iid, after, limit, maxBytes, func(item persistence.InboxItem) bool {
		return slices.Contains(topics, item.Topic)
	}), nil
}

func (m *Model) inboxPage(
	iid persistence.Incarnation, after uint64, limit, maxBytes int, wanted func(persistence.InboxItem) bool,
) (page persistence.InboxPage) {
	head := m.heads[iid]
	if head == nil {
		return page
	}
	bytes := 0
	page.Through = max(after, head.FirstSeq-1)
	for _, item := range m.inbox[iid] {
		if item.Seq <= after || !wanted(item) {
			continue
		}
		n := len(page.Items)
		if n >= limit || n > 0 && maxBytes > 0 && bytes+len(item.Message) > maxBytes {
			page.More = true
			return page
		}
		page.Items = append(page.Items, item)
		page.Through = item.Seq
		bytes += len(item.Message)
	}
	page.Through = head.NextSeq - 1
	return page
}

func (m *Model) dumpTopics(d *persistence.Dump) {
	for key, t := range m.topics {
		d.Topics = append(d.Topics, persistence.DumpTopic{IID: key.iid, TopicRow: t})
	}
	for iid, items := range m.inbox {
		for _, item := range items {
			if item.Ordinal > 0 {
				d.TopicRows = append(d.TopicRows, persistence.DumpTopicRow{
					IID: iid, Topic: item.Topic, Ordinal: item.Ordinal, Seq: item.Seq,
				})
			}
		}
	}
	slices.SortFunc(d.Topics, func(a, b persistence.DumpTopic) int {
		return compareAll(uint64(a.IID), uint64(b.IID), uint64(a.Topic), uint64(b.Topic))
	})
	slices.SortFunc(d.TopicRows, func(a, b persistence.DumpTopicRow) int {
		return compareAll(uint64(a.IID), uint64(b.IID), uint64(a.Topic), uint64(b.Topic), a.Ordinal, b.Ordinal)
	})
}

// compareAll compares pairs of numbers, the first that differ decide.
func compareAll(pairs ...uint64) int {
	for i := 0; i < len(pairs); i += 2 {
		switch {
		case pairs[i] < pairs[i+1]:
			return -1
		case pairs[i] > pairs[i+1]:
			return 1
		}
	}
	return 0
}
