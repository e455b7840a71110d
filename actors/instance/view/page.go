package view

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// InboxPageBytes bounds the bytes of messages that one read of an inbox brings. A read always brings at least one message if
// there is any.
const InboxPageBytes = 256 << 10

// Page is the part of the inbox that an instance has in memory. The inbox may be far larger. Rows are read by age, a page at
// a time, and more are read when those have been consumed. If a turn leaves the rows that were read, rows of the names that
// the code waits for are read through the index of names (topics). Rows without a name are read that way too, because a turn
// takes them ahead of all others.
//
// Invariants: each row that waits with seq <= Read is in Rows. So is each row of one of the topics with seq <= Seen, and each
// row without a name with seq <= zero. Read <= Seen and Read <= zero; without a gap Seen == Read. So the rows of a name in
// memory are the oldest rows of that name.
type Page struct {
	Rows  []Item // by seq
	Bytes int    // of Rows
	Read  uint64 // the seq up to which rows have been read by age
	Seen  uint64 // the seq up to which rows of the topics have been read
	zero  uint64 // the seq up to which rows without a name have been read
	// Nudged is the highest seq that is known to exist.
	Nudged uint64
	// Gap: rows behind Read may exist that are not in memory. more and moreZero: the last read left rows behind Seen and zero.
	Gap, more, moreZero bool
	topics              []persistence.Topic
	// Holes is about how many seqs behind Read have been consumed. A read by age walks over each of them, so many make it slow.
	Holes uint64
	// Wanted are the names that the instance's code waits for, if Known. Then a message with another name is no reason for a
	// turn. If not Known, each message is.
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

// Wants reports whether the message has a name, so that a turn can leave it, and whether it is a reason for a turn.
func (p *Page) Wants(message *turnpb.Message) (named, wanted bool) {
	name, named := replay.NameOf(message)
	return named, !named || !p.Known || slices.Contains(p.Wanted, name)
}

// bySeq compares a row's seq with another one.
func bySeq(a Item, seq uint64) int {
	switch {
	case a.Seq < seq:
		return -1
	case a.Seq > seq:
		return 1
	}
	return 0
}

// put adds a row, unless the page has it already.
func (p *Page) put(item Item) {
	at, there := slices.BinarySearchFunc(p.Rows, item.Seq, bySeq)
	if !there {
		p.Rows = slices.Insert(p.Rows, at, item)
		p.Bytes += item.Size
	}
}

// Restore puts back a row that a turn has left. A row that the page does not cover is left to a later read.
func (p *Page) Restore(item Item) {
	if item.Seq <= p.Read || item.Topic == 0 && item.Seq <= p.zero || item.Seq <= p.Seen && slices.Contains(p.topics, item.Topic) {
		p.put(item)
	}
	p.Nudged = max(p.Nudged, item.Seq)
}

// cut removes the rows for which out returns true.
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

// Learn adds an inbox row that this instance has put there itself, so that it need not read the row back. taken: a turn has
// the row already. A row that the page does not reach yet, or has no room for, is left to a later read.
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

// Unread reports whether rows with a name may exist that are not in memory.
func (p *Page) Unread() bool { return p.Gap || p.Nudged > p.Seen }

// UnreadUnnamed reports whether rows without a name may exist that are not in memory.
func (p *Page) UnreadUnnamed() bool { return p.moreZero || p.Nudged > p.zero }

// UnreadWanted reports whether rows with a name that are a reason for a turn may exist that are not in memory.
func (p *Page) UnreadWanted() bool {
	switch {
	case !p.Known:
		return p.Unread()
	case len(p.Wanted) == 0:
		return false
	}
	return p.more || p.Nudged > p.Seen || p.Gap && !p.covers()
}

// covers reports whether the topics include those of all wanted names.
func (p *Page) covers() bool {
	for _, n := range p.Wanted {
		if !slices.Contains(p.topics, topicOf(n)) {
			return false
		}
	}
	return true
}

// Reaches reports whether every row of the name is in memory.
func (p *Page) Reaches(name replay.ArrivalName) bool {
	return !p.Unread() || !p.more && p.Nudged <= p.Seen && slices.Contains(p.topics, topicOf(name))
}

func topicOf(n replay.ArrivalName) persistence.Topic {
	return persistence.TopicOf(uint8(n.Kind), n.Name)
}

// HasWork reports whether the page has a row that is a reason for a turn now, and whether it has such a row with a name.
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

// HiddenUntil returns when the first of the rows with a time may be consumed, or 0 if no row has a time.
func (p *Page) HiddenUntil() (until int64) {
	for i := range p.Rows {
		if item := &p.Rows[i]; item.NotBeforeMs > 0 && (until == 0 || item.NotBeforeMs < until) {
			until = item.NotBeforeMs
		}
	}
	return until
}

// TakeUrgent moves the rows into a turn that get room first: those without a name, and the oldest row of each name that is
// known to be wanted.
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

// TakeByAge moves rows into a turn by age: at most most rows (negative: no bound), of which at most others are no reason for
// a turn. It adds them to taken.
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
