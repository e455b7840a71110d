package instance

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// InboxPageBytes bounds the messages that one read of an inbox brings, except that it always brings one if there is any.
const InboxPageBytes = 256 << 10

// inboxPage is what an instance has in memory of its inbox. The inbox may be far larger: rows are read by age, a page at a
// time, and more are read when those have been consumed. When what was read is left by a turn, rows of the names that the
// code waits for are read through the index of names, and so are those without a name, which pass all others.
//
// Invariants: each row up to read is in rows. So is each row up to seen of one of the topics, and each row without a name
// up to zero. Without a gap seen is read. So the rows of a name that are in memory are its oldest ones.
type inboxPage struct {
	rows  []inboxItem // by seq
	bytes int
	read  uint64
	seen  uint64
	zero  uint64
	// nudged is the highest seq that is known to exist.
	nudged uint64
	// gap: rows behind read exist that are not in memory. more, moreZero: the last read left some behind seen and zero.
	gap, more, moreZero bool
	topics              []persistence.Topic
	// holes is about how many rows behind read are consumed: a read by age walks over them.
	holes uint64
	// wanted are the names that the machine's code waits for, if known: only a message of one of them is a reason for a
	// turn. Else each message is.
	wanted []replay.ArrivalName
	known  bool
}

// inboxItem is an inbox row, decoded.
type inboxItem struct {
	seq         uint64
	notBeforeMs int64
	size        int
	topic       persistence.Topic
	message     *turnpb.Message
}

// named says whether the row is one that can be left; wants, whether it is a reason for a turn.
func (p *inboxPage) wants(message *turnpb.Message) (named, wanted bool) {
	name, named := replay.NameOf(message)
	return named, !named || !p.known || slices.Contains(p.wanted, name)
}

// bySeq orders rows.
func bySeq(a inboxItem, seq uint64) int {
	switch {
	case a.seq < seq:
		return -1
	case a.seq > seq:
		return 1
	}
	return 0
}

// put adds a row, unless it is there.
func (p *inboxPage) put(item inboxItem) {
	at, there := slices.BinarySearchFunc(p.rows, item.seq, bySeq)
	if !there {
		p.rows = slices.Insert(p.rows, at, item)
		p.bytes += item.size
	}
}

// restore puts a row back that a turn has left. One that the page does not reach is found by a read.
func (p *inboxPage) restore(item inboxItem) {
	if item.seq <= p.read || item.topic == 0 && item.seq <= p.zero || item.seq <= p.seen && slices.Contains(p.topics, item.topic) {
		p.put(item)
	}
	p.nudged = max(p.nudged, item.seq)
}

// cut takes the rows out that a function names.
func (p *inboxPage) cut(out func(*inboxItem) bool) {
	rest := p.rows[:0]
	p.bytes = 0
	for i := range p.rows {
		if !out(&p.rows[i]) {
			p.bytes += p.rows[i].size
			rest = append(rest, p.rows[i])
		}
	}
	clear(p.rows[len(rest):])
	p.rows = rest
}

// learn notes an inbox row that this instance has put there itself, so that it need not be read back. taken: a turn has
// it already. A row that the page does not reach yet, or has no room for, is left to a read.
func (p *inboxPage) learn(item inboxItem, taken bool) {
	seq, named := item.seq, item.topic != 0
	p.nudged = max(p.nudged, seq)
	room := taken || len(p.rows) == 0 || p.bytes+item.size <= InboxPageBytes
	keep := false
	if seq == p.zero+1 && (named || room) {
		p.zero, keep = seq, !named
	}
	switch {
	case !p.gap && seq == p.read+1 && room:
		p.read, p.seen, keep = seq, seq, true
	case !p.gap && seq == p.read+1:
		p.gap, p.topics, p.seen, p.more = true, nil, p.read, false
	case p.gap && seq == p.seen+1 && !slices.Contains(p.topics, item.topic):
		p.seen = seq
	case p.gap && seq == p.seen+1 && room:
		p.seen, keep = seq, true
	}
	if keep && !taken {
		p.put(item)
	}
}

// unread says that rows with a name may exist which are not in memory.
func (p *inboxPage) unread() bool { return p.gap || p.nudged > p.seen }

// unreadUnnamed says that rows without a name may.
func (p *inboxPage) unreadUnnamed() bool { return p.moreZero || p.nudged > p.zero }

// unreadWanted says that rows which are a reason for a turn may.
func (p *inboxPage) unreadWanted() bool {
	switch {
	case !p.known:
		return p.unread()
	case len(p.wanted) == 0:
		return false
	}
	return p.more || p.nudged > p.seen || p.gap && !p.covers()
}

// covers says that the topics have all that is wanted.
func (p *inboxPage) covers() bool {
	for _, n := range p.wanted {
		if !slices.Contains(p.topics, topicOf(n)) {
			return false
		}
	}
	return true
}

// reaches says that every row of a name which waits is in memory.
func (p *inboxPage) reaches(name replay.ArrivalName) bool {
	return !p.unread() || !p.more && p.nudged <= p.seen && slices.Contains(p.topics, topicOf(name))
}

func topicOf(n replay.ArrivalName) persistence.Topic {
	return persistence.TopicOf(uint8(n.Kind), n.Name)
}

// hasWork says whether the page has a row that is a reason for a turn; named, whether it has one with a name.
func (p *inboxPage) hasWork(nowMs int64) (any, named bool) {
	for i := range p.rows {
		if item := &p.rows[i]; item.notBeforeMs <= nowMs {
			n, wanted := p.wants(item.message)
			if n && wanted {
				return true, true
			}
			any = any || wanted
		}
	}
	return any, false
}

// hiddenUntil is when the first of the inbox rows that may not be consumed yet may be; 0 if there is none.
func (p *inboxPage) hiddenUntil() (until int64) {
	for i := range p.rows {
		if item := &p.rows[i]; item.notBeforeMs > 0 && (until == 0 || item.notBeforeMs < until) {
			until = item.notBeforeMs
		}
	}
	return until
}

// takeUrgent moves rows without a name into a turn, and the oldest one of each name that is known to be wanted.
func (p *inboxPage) takeUrgent(nowMs int64, room func(int) bool) (taken []inboxItem) {
	if len(p.rows) == 0 {
		return nil
	}
	var had []replay.ArrivalName
	p.cut(func(item *inboxItem) bool {
		if item.notBeforeMs > nowMs {
			return false
		}
		if name, named := replay.NameOf(item.message); named {
			if !p.known || slices.Contains(had, name) || !slices.Contains(p.wanted, name) {
				return false
			}
			had = append(had, name)
		}
		if !room(item.size) {
			return false
		}
		taken = append(taken, *item)
		return true
	})
	return taken
}

// takeByAge moves rows into a turn by age: all that are a reason for one, and so many others.
func (p *inboxPage) takeByAge(nowMs int64, most, others int, room func(int) bool, taken []inboxItem) []inboxItem {
	if len(p.rows) == 0 {
		return taken
	}
	before := len(taken)
	p.cut(func(item *inboxItem) bool {
		if item.notBeforeMs > nowMs || most == 0 {
			return false
		}
		if _, wanted := p.wants(item.message); !wanted {
			if others == 0 {
				return false
			}
			others--
		}
		if !room(item.size) {
			most = 0
			return false
		}
		most--
		taken = append(taken, *item)
		return true
	})
	if before > 0 && len(taken) > before {
		slices.SortFunc(taken, func(a, b inboxItem) int { return bySeq(a, b.seq) })
	}
	if plantedReverse {
		slices.Reverse(taken)
	}
	return taken
}
