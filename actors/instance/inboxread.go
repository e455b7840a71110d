package instance

import (
	"fmt"
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// inboxRead is one read of an inbox: by age, or of some topics, and of the rows without a name.
type inboxRead struct {
	limit     int // rows of a page
	byAge     bool
	topics    []persistence.Topic
	after     uint64
	unnamed   bool
	afterZero uint64

	// What was found.
	head        persistence.Head
	items       []inboxItem
	through     uint64
	more        bool
	throughZero uint64
	moreZero    bool
	rows        int  // that were read
	count       int  // of them by age
	full        bool // a page has as many rows as it may have
	unreadable  error
}

// plan decides what is to be read next of an inbox; false if nothing is.
func (p *inboxPage) plan(nowMs int64, limit int) (*inboxRead, bool) {
	m := &inboxRead{limit: limit, after: p.read, afterZero: p.zero, unnamed: p.unreadUnnamed()}
	_, named := p.hasWork(nowMs)
	switch {
	case named || !p.unreadWanted():
	case !p.gap:
		m.byAge = true
	case p.known:
		p.narrow()
		m.topics, m.after = p.topics, p.seen
	default:
		m.byAge = p.holes <= uint64(limit) // else the next turn tells what it wants
	}
	return m, m.unnamed || m.byAge || len(m.topics) > 0
}

// narrow has the page reach for what is wanted. What it has of other names behind the gap is let go.
func (p *inboxPage) narrow() {
	if p.covers() {
		return
	}
	p.forgetTopics()
	for _, n := range p.wanted {
		if t := topicOf(n); !slices.Contains(p.topics, t) {
			p.topics = append(p.topics, t)
		}
	}
	p.more = true
}

// forgetTopics drops the rows with a name that the read by age has not reached.
func (p *inboxPage) forgetTopics() {
	p.cut(func(item *inboxItem) bool { return item.seq > p.read && item.topic != 0 })
	p.nudged = max(p.nudged, p.seen)
	p.seen, p.topics, p.more = p.read, nil, false
}

// read reads what was planned.
func (m *inboxRead) read(r persistence.Reader, iid persistence.Incarnation) (err error) {
	if m.head, _, err = r.Head(iid); err != nil {
		return err
	}
	m.through, m.throughZero = m.after, m.afterZero
	switch {
	case m.byAge:
		m.through, m.more, err = m.page(r.Inbox(iid, m.after, m.limit, InboxPageBytes))
		m.count = m.rows
		m.throughZero = max(m.throughZero, m.through)
		m.unnamed = m.more
	case len(m.topics) > 0:
		m.through, m.more, err = m.page(r.InboxOf(iid, m.topics, m.after, m.limit, InboxPageBytes))
	}
	if err == nil && m.unnamed {
		m.throughZero, m.moreZero, err = m.page(r.InboxOf(iid, []persistence.Topic{0}, m.throughZero, m.limit, InboxPageBytes))
	}
	return err
}

// page adds what a page has.
func (m *inboxRead) page(page persistence.InboxPage, err error) (through uint64, more bool, _ error) {
	for _, item := range page.Items {
		decoded, err := decodeItem(item)
		if err != nil {
			m.unreadable = fmt.Errorf("inbox row %d: %w", item.Seq, err)
			continue
		}
		m.items = append(m.items, decoded)
	}
	m.rows += len(page.Items)
	m.full = m.full || len(page.Items) == m.limit
	return page.Through, page.More, err
}

// take adds what was read. Rows may have been learned meanwhile.
func (p *inboxPage) take(m *inboxRead) {
	switch {
	case m.byAge:
		p.read = max(p.read, m.through)
		p.forgetTopics()
		p.gap = m.more
	case len(m.topics) > 0:
		p.seen, p.more = max(p.seen, m.through), m.more
	}
	if m.byAge || m.unnamed {
		p.moreZero = m.moreZero && m.throughZero >= p.zero
		p.zero = max(p.zero, m.throughZero)
	}
	for _, item := range m.items {
		p.put(item)
	}
	p.compare(m)
	if plantedPage && m.full {
		p.gap, p.moreZero, p.nudged = false, false, max(m.head.NextSeq, p.read+2)-1
		p.seen, p.zero = p.read, p.read
	}
}

// compare looks at what the head counts: whether all that waits is in memory, and how many holes are behind what was read
// by age.
func (p *inboxPage) compare(m *inboxRead) {
	last := m.head.NextSeq - 1
	here, _ := slices.BinarySearchFunc(p.rows, last+1, bySeq)
	if here == len(p.rows) && here == int(m.head.Inbox) && p.seen <= last && p.zero <= last && m.unreadable == nil {
		p.read, p.seen, p.zero = last, last, last
		p.gap, p.more, p.moreZero, p.topics, p.holes = false, false, false, nil, 0
		return
	}
	near, _ := slices.BinarySearchFunc(p.rows, p.read+1, bySeq)
	p.holes = last - min(last, p.read) - min(last-min(last, p.read), m.head.Inbox-min(m.head.Inbox, uint64(near)))
}

// unopened is the page of an inbox that has not been read.
func unopened(h *persistence.Head) inboxPage {
	p := inboxPage{read: h.FirstSeq - 1, nudged: h.NextSeq - 1, gap: h.Inbox > 0, holes: h.NextSeq - h.FirstSeq - h.Inbox}
	if h.Inbox == 0 {
		p.read = h.NextSeq - 1
	}
	p.seen, p.zero = p.read, p.read
	return p
}

// mustRead says that rows of the inbox are to be read before the next turn.
func (in *core) mustRead() bool {
	p := &in.view.inbox
	if len(p.rows) == 0 && !p.gap && p.nudged <= p.seen && !p.unreadUnnamed() {
		return false
	}
	_, must := p.plan(in.facts.NowMs(), in.host.Config.InboxPage)
	return must
}

// loadInbox reads them.
func (in *core) loadInbox() {
	in.become(phaseLoading)
	in.host.Counts.InboxReads.Add(1)
	plan, _ := in.view.inbox.plan(in.facts.NowMs(), in.host.Config.InboxPage)
	m := &loadMsg{inboxOnly: true, iid: in.view.head.IID, inbox: *plan}
	in.awaiting = m
	in.emit(effect{kind: effectLoad, message: m})
}
