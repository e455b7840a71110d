package view

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// InboxPageBytes bounds the messages that one read of an inbox brings, except that it always brings one if there is any.
const InboxPageBytes = 256 << 10

// Page is what an instance has in memory of its inbox. The inbox may be far larger: rows are read by age, a page at a
// time, and more are read when those have been consumed. When what was read is left by a turn, rows of the names that the
// code waits for are read through the index of names, and so are those without a name, which pass all others.
//
// Invariants: each row up to read is in rows. So is each row up to seen of one of the topics, and each row without a name
// up to zero. Without a gap seen is read. So the rows of a name that are in memory are its oldest ones.
type Page struct {
	Rows  []Item // by seq
	Bytes int
	Read  uint64
	Seen  uint64
	zero  uint64
	// Nudged is the highest seq that is known to exist.
	Nudged uint64
	// Gap: rows behind read exist that are not in memory. more, moreZero: the last read left some behind seen and zero.
	Gap, more, moreZero bool
	topics              []persistence.Topic
	// Holes is about how many rows behind read are consumed: a read by age walks over them.
	Holes uint64
	// Wanted are the names that the machine's code waits for, if known: only a message of one of them is a reason for a
	// turn. Else each message is.
	Wanted []replay.ArrivalName
	Known  bool
}

// Item is an inbox row, decoded.
type Item struct {
	Seq         uint64
	NotBeforeMs int64
	Size        int
	Topic       persistence.Topic
	Message     *turnpb.Message
}

// named says whether the row is one that can be left; wants, whether it is a reason for a turn.
func (p *Page) Wants(message *turnpb.Message) (named, wanted bool) {
	name, named := replay.NameOf(message)
	return named, !named || !p.Known || slices.Contains(p.Wanted, name)
}

// bySeq orders rows.
func bySeq(a Item, seq uint64) int {
	switch {
	case a.Seq < seq:
		return -1
	case a.Seq > seq:
		return 1
	}
	return 0
}

// put adds a row, unless it is there.
func (p *Page) put(item Item) {
	at, there := slices.BinarySearchFunc(p.Rows, item.Seq, bySeq)
	if !there {
		p.Rows = slices.Insert(p.Rows, at, item)
		p.Bytes += item.Size
	}
}

// Restore puts a row back that a turn has left. One that the page does not reach is found by a read.
func (p *Page) Restore(item Item) {
	if item.Seq <= p.Read || item.Topic == 0 && item.Seq <= p.zero || item.Seq <= p.Seen && slices.Contains(p.topics, item.Topic) {
		p.put(item)
	}
	p.Nudged = max(p.Nudged, item.Seq)
}

// cut takes the rows out that a function names.
func (p *Page) cut(out func(*Item) bool) {
	rest := p.Rows[:0]
	p.Bytes = 0
	for i := range p.Rows {
		if !out(&p.Rows[i]) {
			p.Bytes += p.Rows[i].Size
			rest = append(rest, p.Rows[i])
		}
	}
	clear(p.Rows[len(rest):])
	p.Rows = rest
}

// Learn notes an inbox row that this instance has put there itself, so that it need not be read back. taken: a turn has
// it already. A row that the page does not reach yet, or has no room for, is left to a read.
func (p *Page) Learn(item Item, taken bool) {
	seq, named := item.Seq, item.Topic != 0
	p.Nudged = max(p.Nudged, seq)
	room := taken || len(p.Rows) == 0 || p.Bytes+item.Size <= InboxPageBytes
	keep := false
	if seq == p.zero+1 && (named || room) {
		p.zero, keep = seq, !named
	}
	switch {
	case !p.Gap && seq == p.Read+1 && room:
		p.Read, p.Seen, keep = seq, seq, true
	case !p.Gap && seq == p.Read+1:
		p.Gap, p.topics, p.Seen, p.more = true, nil, p.Read, false
	case p.Gap && seq == p.Seen+1 && !slices.Contains(p.topics, item.Topic):
		p.Seen = seq
	case p.Gap && seq == p.Seen+1 && room:
		p.Seen, keep = seq, true
	}
	if keep && !taken {
		p.put(item)
	}
}

// Unread says that rows with a name may exist which are not in memory.
func (p *Page) Unread() bool { return p.Gap || p.Nudged > p.Seen }

// UnreadUnnamed says that rows without a name may.
func (p *Page) UnreadUnnamed() bool { return p.moreZero || p.Nudged > p.zero }

// UnreadWanted says that rows which are a reason for a turn may.
func (p *Page) UnreadWanted() bool {
	switch {
	case !p.Known:
		return p.Unread()
	case len(p.Wanted) == 0:
		return false
	}
	return p.more || p.Nudged > p.Seen || p.Gap && !p.covers()
}

// covers says that the topics have all that is wanted.
func (p *Page) covers() bool {
	for _, n := range p.Wanted {
		if !slices.Contains(p.topics, topicOf(n)) {
			return false
		}
	}
	return true
}

// Reaches says that every row of a name which waits is in memory.
func (p *Page) Reaches(name replay.ArrivalName) bool {
	return !p.Unread() || !p.more && p.Nudged <= p.Seen && slices.Contains(p.topics, topicOf(name))
}

func topicOf(n replay.ArrivalName) persistence.Topic {
	return persistence.TopicOf(uint8(n.Kind), n.Name)
}

// HasWork says whether the page has a row that is a reason for a turn; named, whether it has one with a name.
func (p *Page) HasWork(nowMs int64) (any, named bool) {
	for i := range p.Rows {
		if item := &p.Rows[i]; item.NotBeforeMs <= nowMs {
			n, wanted := p.Wants(item.Message)
			if n && wanted {
				return true, true
			}
			any = any || wanted
		}
	}
	return any, false
}

// HiddenUntil is when the first of the inbox rows that may not be consumed yet may be; 0 if there is none.
func (p *Page) HiddenUntil() (until int64) {
	for i := range p.Rows {
		if item := &p.Rows[i]; item.NotBeforeMs > 0 && (until == 0 || item.NotBeforeMs < until) {
			until = item.NotBeforeMs
		}
	}
	return until
}

// TakeUrgent moves rows without a name into a turn, and the oldest one of each name that is known to be wanted.
func (p *Page) TakeUrgent(nowMs int64, room func(int) bool) (taken []Item) {
	if len(p.Rows) == 0 {
		return nil
	}
	var had []replay.ArrivalName
	p.cut(func(item *Item) bool {
		if item.NotBeforeMs > nowMs {
			return false
		}
		if name, named := replay.NameOf(item.Message); named {
			if !p.Known || slices.Contains(had, name) || !slices.Contains(p.Wanted, name) {
				return false
			}
			had = append(had, name)
		}
		if !room(item.Size) {
			return false
		}
		taken = append(taken, *item)
		return true
	})
	return taken
}

// TakeByAge moves rows into a turn by age: all that are a reason for one, and so many others.
func (p *Page) TakeByAge(nowMs int64, most, others int, room func(int) bool, taken []Item) []Item {
	if len(p.Rows) == 0 {
		return taken
	}
	before := len(taken)
	p.cut(func(item *Item) bool {
		if item.NotBeforeMs > nowMs || most == 0 {
			return false
		}
		if _, wanted := p.Wants(item.Message); !wanted {
			if others == 0 {
				return false
			}
			others--
		}
		if !room(item.Size) {
			most = 0
			return false
		}
		most--
		taken = append(taken, *item)
		return true
	})
	if before > 0 && len(taken) > before {
		slices.SortFunc(taken, func(a, b Item) int { return bySeq(a, b.Seq) })
	}
	if plantedReverse {
		slices.Reverse(taken)
	}
	return taken
}
