package pebble

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

// inboxReader fills one page.
type inboxReader struct {
	r               *reader
	head            *persistence.Head
	after           uint64
	items, maxBytes int
	bytes           int
	page            persistence.InboxPage
}

// openInbox returns nil for an instance that does not exist or whose inbox is empty; the page is then empty.
func (r *reader) openInbox(
	iid persistence.Incarnation, after uint64, limit, maxBytes int,
) (*inboxReader, persistence.InboxPage, error) {
	head, ok, err := r.Head(iid)
	if err != nil || !ok {
		return nil, persistence.InboxPage{}, err
	}
	last := head.NextSeq - 1
	if head.Inbox == 0 || after >= last {
		return nil, persistence.InboxPage{Through: last}, nil
	}
	in := &inboxReader{r: r, head: &head, after: max(after, head.FirstSeq-1), items: limit, maxBytes: maxBytes}
	in.page.Through = in.after
	return in, persistence.InboxPage{}, nil
}

// take adds a row to the page. It returns false if the page has no room for it.
func (in *inboxReader) take(seq uint64, row []byte) (bool, error) {
	entry, err := decodeInboxEntry(row)
	if err != nil {
		return false, err
	}
	n := len(in.page.Items)
	if n >= in.items || n > 0 && in.maxBytes > 0 && in.bytes+entry.size > in.maxBytes {
		in.page.More = true
		return false, nil
	}
	item, err := decodeInbox(seq, row)
	in.page.Items = append(in.page.Items, item)
	in.page.Through = seq
	in.bytes += entry.size
	return true, err
}

// done returns the page. The last page of an inbox reaches up to the last seq that the inbox has assigned.
func (in *inboxReader) done() persistence.InboxPage {
	if !in.page.More {
		in.page.Through = in.head.NextSeq - 1
	}
	return in.page
}

// Inbox implements persistence.Reader. It begins at the first seq of the head, so it does not walk over the tombstones of
// consumed rows before it.
func (r *reader) Inbox(
	iid persistence.Incarnation, after uint64, limit, maxBytes int,
) (persistence.InboxPage, error) {
	in, empty, err := r.openInbox(iid, after, limit, maxBytes)
	if in == nil {
		return empty, err
	}
	left := in.head.Inbox
	err = in.scan(func(seq uint64, row []byte) (bool, error) {
		more, err := in.take(seq, row)
		left--
		return more && left > 0, err // the head has the number of rows: no search behind the last one
	})
	return in.done(), err
}

func (in *inboxReader) scan(row func(seq uint64, value []byte) (bool, error)) error {
	prefix := appendInstance(nil, in.r.p, famInbox, in.head.IID)
	start := appendInbox(nil, in.r.p, in.head.IID, in.after+1)
	return in.r.scan(prefix, start, func(k *keyReader, value []byte) (bool, error) {
		k.take(8)
		return row(k.u64(), value)
	})
}

// topicCursor stands at a row of a topic.
type topicCursor struct {
	persistence.TopicRow
	seq uint64
}

// InboxOf implements persistence.Reader. If rows without a topic are wanted, it iterates over those that are not listed. It
// finds all others by their ordinals.
func (r *reader) InboxOf(
	iid persistence.Incarnation, topics []persistence.Topic, after uint64, limit, maxBytes int,
) (persistence.InboxPage, error) {
	in, empty, err := r.openInbox(iid, after, limit, maxBytes)
	if in == nil {
		return empty, err
	}
	var cursors []*topicCursor
	for _, t := range topics {
		if t == 0 && in.head.Topics < in.head.Inbox {
			if err := in.unlisted(); err != nil || in.page.More {
				return in.page, err
			}
		}
		if c, err := in.open(t); err != nil {
			return in.page, err
		} else if c != nil {
			cursors = append(cursors, c)
		}
	}
	err = in.merge(cursors)
	return in.done(), err
}

// unlisted takes the rows that no topic lists; they come before all others.
func (in *inboxReader) unlisted() error {
	left := in.head.Inbox - in.head.Topics
	return in.scan(func(seq uint64, row []byte) (bool, error) {
		entry, err := decodeInboxEntry(row)
		if err != nil || entry.ordinal != 0 {
			return false, err
		}
		more, err := in.take(seq, row)
		left--
		return more && left > 0, err
	})
}

// open returns a cursor at the first row of a topic behind the start; nil if there is none.
func (in *inboxReader) open(t persistence.Topic) (*topicCursor, error) {
	c := &topicCursor{}
	key := appendTopic(in.r.key[:0], in.r.p, in.head.IID, t)
	ok, err := in.r.get(key, func(b []byte) (err error) { c.TopicRow, err = decodeTopic(t, b); return err })
	if err != nil || !ok {
		return nil, err
	}
	for there := true; there; {
		if there, err = in.step(c); err == nil && there && c.seq > in.after {
			return c, nil
		}
	}
	return nil, err
}

// step moves to the next row of the topic, and skips ordinals whose rows were removed out of order.
func (in *inboxReader) step(c *topicCursor) (there bool, err error) {
	for err == nil && !there && c.First < c.Next {
		key := appendOrdinal(in.r.key[:0], in.r.p, in.head.IID, c.Topic, c.First)
		there, err = in.r.get(key, func(b []byte) (err error) { c.seq, err = decodeOrdinal(b); return err })
		c.First++
	}
	return there, err
}

// merge takes the rows of all cursors in the order of their seqs.
func (in *inboxReader) merge(cursors []*topicCursor) error {
	for {
		var next *topicCursor
		at := 0
		for i, c := range cursors {
			if c != nil && (next == nil || c.seq < next.seq) {
				next, at = c, i
			}
		}
		if next == nil {
			return nil
		}
		key := appendInbox(in.r.key[:0], in.r.p, in.head.IID, next.seq)
		more := false
		ok, err := in.r.get(key, func(b []byte) (err error) { more, err = in.take(next.seq, b); return err })
		if err == nil && !ok {
			err = corruptRow(key, fmt.Errorf("%w: its topic lists it, and it is missing", rowcode.ErrMalformed))
		}
		if err != nil || !more {
			return err
		}
		if there, err := in.step(next); err != nil {
			return err
		} else if !there {
			cursors[at] = nil
		}
	}
}
