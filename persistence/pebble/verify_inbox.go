package pebble

import "github.com/turnstone-dev/turnstone/persistence"

// inboxCheck has the sums over the rows of one inbox.
type inboxCheck struct {
	first, bytes uint64
	// listed are the rows that topics must list, by topic and ordinal.
	listed map[persistence.Topic]map[uint64]uint64
	count  uint64
}

// inbox checks the rows of the inbox, and that topics list exactly the rows that they must.
func (i *instanceCheck) inbox() {
	c := &inboxCheck{first: i.h.NextSeq, listed: map[persistence.Topic]map[uint64]uint64{}}
	i.rows(famInbox, i.h.Inbox, func(key []byte, k *keyReader, value []byte) {
		k.take(8)
		item, err := decodeInbox(k.u64(), value)
		if err != nil {
			return
		}
		if item.Seq == 0 || item.Seq >= i.h.NextSeq {
			i.v.damage(key, "the next seq to be given out is %d", i.h.NextSeq)
		}
		c.first = min(c.first, item.Seq)
		c.bytes += uint64(len(item.Message))
		switch {
		case item.Ordinal > 0:
			if c.listed[item.Topic] == nil {
				c.listed[item.Topic] = map[uint64]uint64{}
			}
			c.listed[item.Topic][item.Ordinal] = item.Seq
			c.count++
		case item.Topic != 0 || c.count > 0:
			i.v.damage(key, "it must be listed by its topic")
		}
	})
	if c.first != i.h.FirstSeq || c.bytes != i.h.InboxBytes || c.count != i.h.Topics {
		i.damage("it has first seq %d, %d bytes and %d rows by topic; the inbox has %d, %d, %d",
			i.h.FirstSeq, i.h.InboxBytes, i.h.Topics, c.first, c.bytes, c.count)
	}
	i.topics(c)
}

func (i *instanceCheck) topics(c *inboxCheck) {
	i.rows(famOrdinal, i.h.Topics, func(key []byte, k *keyReader, value []byte) {
		k.iid()
		topic, ordinal := k.topic(), k.u64()
		if seq, err := decodeOrdinal(value); err == nil && c.listed[topic][ordinal] != seq {
			i.v.damage(key, "it names seq %d; the inbox has %d there", seq, c.listed[topic][ordinal])
		}
	})
	i.rows(famTopic, uint64(len(c.listed)), func(key []byte, k *keyReader, value []byte) {
		k.iid()
		topic := k.topic()
		t, err := decodeTopic(topic, value)
		if err != nil {
			return
		}
		first, next := t.Next, uint64(0)
		for ordinal := range c.listed[topic] {
			first, next = min(first, ordinal), max(next, ordinal+1)
		}
		if t.Live != uint64(len(c.listed[topic])) || t.First != first || t.Next < next {
			i.v.damage(key, "it lists %d rows from %d, next %d; there are %d from %d, next %d",
				t.Live, t.First, t.Next, len(c.listed[topic]), first, next)
		}
	})
}
