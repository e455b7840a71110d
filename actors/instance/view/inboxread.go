package view

import (
	"fmt"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// InboxRead is one read of an inbox. It reads rows by age or rows of some topics, and rows without a name.
type InboxRead struct {
	Limit     int                 // how many rows a page may have
	byAge     bool                // read rows by age, behind after
	topics    []persistence.Topic // or rows of these topics, behind after
	after     uint64
	unnamed   bool // read rows without a name, behind afterZero
	afterZero uint64

	// What the read found.
	Head        persistence.Head
	items       []Item
	through     uint64 // the seq up to which items has what was asked for behind after
	more        bool   // rows that were asked for exist behind through
	throughZero uint64 // as through and more, for rows without a name
	moreZero    bool
	rows        int   // rows read
	count       int   // rows read by age
	Full        bool  // a page has as many rows as it may have
	Unreadable  error // a row that could not be decoded, and why
}

// Plan decides what to read next of an inbox. It returns false if nothing needs to be read.
func (p *Page) Plan(nowMs int64, limit int) (*InboxRead, bool) {
	m := &InboxRead{Limit: limit, after: p.Read, afterZero: p.zero, unnamed: p.UnreadUnnamed()}
	_, named := p.HasWork(nowMs)
	switch {
	case named || !p.UnreadWanted():
	case !p.Gap:
		m.byAge = true
	case p.Known:
		p.narrow()
		m.topics, m.after = p.topics, p.Seen
	default:
		m.byAge = p.Holes <= uint64(limit) // with more holes, the next turn first tells what it wants
	}
	return m, m.unnamed || m.byAge || len(m.topics) > 0
}

// narrow sets the topics to those of the wanted names. It drops the rows with a name behind the gap; later reads bring those
// back that are wanted.
func (p *Page) narrow() {
	if p.covers() {
		return
	}
	p.forgetTopics()
	for _, n := range p.Wanted {
		if t := topicOf(n); !slices.Contains(p.topics, t) {
			p.topics = append(p.topics, t)
		}
	}
	p.more = true
}

// forgetTopics drops the rows of the topics that the read by age has not reached.
func (p *Page) forgetTopics() {
	p.cut(func(item *Item) bool { return item.Seq > p.Read && item.Topic != 0 })
	p.Nudged = max(p.Nudged, p.Seen)
	p.Seen, p.topics, p.more = p.Read, nil, false
}

// read reads what Plan has decided.
func (m *InboxRead) read(r persistence.Reader, iid persistence.Incarnation) (err error) {
	if m.Head, _, err = r.Head(iid); err != nil {
		return err
	}
	m.through, m.throughZero = m.after, m.afterZero
	switch {
	case m.byAge:
		m.through, m.more, err = m.page(r.Inbox(iid, m.after, m.Limit, InboxPageBytes))
		m.count = m.rows
		m.throughZero = max(m.throughZero, m.through)
		m.unnamed = m.more
	case len(m.topics) > 0:
		m.through, m.more, err = m.page(r.InboxOf(iid, m.topics, m.after, m.Limit, InboxPageBytes))
	}
	if err == nil && m.unnamed {
		m.throughZero, m.moreZero, err = m.page(r.InboxOf(iid, []persistence.Topic{0}, m.throughZero, m.Limit, InboxPageBytes))
	}
	return err
}

// page adds the items of one page to those that the read has found.
func (m *InboxRead) page(page persistence.InboxPage, err error) (through uint64, more bool, _ error) {
	for _, item := range page.Items {
		decoded, err := decodeItem(item)
		if err != nil {
			m.Unreadable = fmt.Errorf("inbox row %d: %w", item.Seq, err)
			continue
		}
		m.items = append(m.items, decoded)
	}
	m.rows += len(page.Items)
	m.Full = m.Full || len(page.Items) == m.Limit
	return page.Through, page.More, err
}

// Take adds the rows that were read to the page, which may have learned of rows since the read began.
func (p *Page) Take(m *InboxRead) {
	switch {
	case m.byAge:
		p.Read = max(p.Read, m.through)
		p.forgetTopics()
		p.Gap = m.more
	case len(m.topics) > 0:
		p.Seen, p.more = max(p.Seen, m.through), m.more
	}
	if m.byAge || m.unnamed {
		p.moreZero = m.moreZero && m.throughZero >= p.zero
		p.zero = max(p.zero, m.throughZero)
	}
	for _, item := range m.items {
		p.put(item)
	}
	p.compare(m)
	if plantedPage && m.Full {
		p.Gap, p.moreZero, p.Nudged = false, false, max(m.Head.NextSeq, p.Read+2)-1
		p.Seen, p.zero = p.Read, p.Read
	}
}

// compare uses the head's count of rows: it finds whether the page has all of them, and else how many holes are behind Read.
func (p *Page) compare(m *InboxRead) {
	last := m.Head.NextSeq - 1
	here, _ := slices.BinarySearchFunc(p.Rows, last+1, bySeq)
	if here == len(p.Rows) && here == int(m.Head.Inbox) && p.Seen <= last && p.zero <= last && m.Unreadable == nil {
		p.Read, p.Seen, p.zero = last, last, last
		p.Gap, p.more, p.moreZero, p.topics, p.Holes = false, false, false, nil, 0
		return
	}
	near, _ := slices.BinarySearchFunc(p.Rows, p.Read+1, bySeq)
	p.Holes = last - min(last, p.Read) - min(last-min(last, p.Read), m.Head.Inbox-min(m.Head.Inbox, uint64(near)))
}

// unopened returns the page of an inbox that has not been read.
func unopened(h *persistence.Head) Page {
	p := Page{Read: h.FirstSeq - 1, Nudged: h.NextSeq - 1, Gap: h.Inbox > 0, Holes: h.NextSeq - h.FirstSeq - h.Inbox}
	if h.Inbox == 0 {
		p.Read = h.NextSeq - 1
	}
	p.Seen, p.zero = p.Read, p.Read
	return p
}
