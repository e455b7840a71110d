package replay_test

import (
	"slices"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// inbox is the host's side of what an instance leaves: the events and queue messages that wait for it, in the order in
// which they came, and an index by name.
type inbox struct {
	rows    []*turnpb.Message // by seq; nil once consumed
	first   int               // every row before it is consumed
	waiting int
	index   map[replay.ArrivalName][]int // seqs that wait, oldest first
}

// failing is what testing.T and rapid.T have in common here.
type failing interface {
	Helper()
	Fatalf(format string, args ...any)
}

func (b *inbox) put(msg *turnpb.Message) int {
	name, ok := replay.NameOf(msg)
	if !ok {
		panic("only events and queue messages wait in this inbox")
	}
	seq := len(b.rows)
	b.rows = append(b.rows, msg)
	b.waiting++
	if b.index == nil {
		b.index = map[replay.ArrivalName][]int{}
	}
	b.index[name] = append(b.index[name], seq)
	return seq
}

// page lists what the next turn gets: the oldest row of each wanted name, and the oldest rows whatever their names are.
func (b *inbox) page(wanted []replay.ArrivalName, most int) []int {
	var seqs []int
	for _, name := range wanted {
		if rows := b.index[name]; len(rows) > 0 {
			seqs = append(seqs, rows[0])
		}
	}
	n := len(seqs)
	for seq := b.first; seq < len(b.rows) && most > 0; seq++ {
		if b.rows[seq] == nil {
			continue
		}
		most--
		if !slices.Contains(seqs[:n], seq) {
			seqs = append(seqs, seq)
		}
	}
	slices.Sort(seqs)
	return seqs
}

// wants reports whether a message of one of these names waits.
func (b *inbox) wants(names []replay.ArrivalName) bool {
	return slices.ContainsFunc(names, func(n replay.ArrivalName) bool { return len(b.index[n]) > 0 })
}

// consume deletes what a turn took of its page, which is in Messages from a position on. A row that is not the oldest of
// its name, or was not in the page, fails the test.
func (b *inbox) consume(t failing, page []int, at int, d replay.Decision) (taken []*turnpb.Message) {
	t.Helper()
	for _, i := range d.Deferred {
		if i < at || i >= at+len(page) {
			t.Fatalf("position %d is deferred; the page is at %d and has %d messages", i, at, len(page))
		}
	}
	for i, seq := range page {
		if slices.Contains(d.Deferred, at+i) {
			continue
		}
		name, _ := replay.NameOf(b.rows[seq])
		if b.index[name][0] != seq {
			t.Fatalf("message %d is consumed before message %d of its name, %v", seq, b.index[name][0], name)
		}
		taken = append(taken, b.rows[seq])
		if b.index[name] = b.index[name][1:]; len(b.index[name]) == 0 {
			delete(b.index, name)
		}
		b.rows[seq] = nil
		b.waiting--
	}
	for b.first < len(b.rows) && b.rows[b.first] == nil {
		b.first++
	}
	return taken
}

func (b *inbox) messages(page []int) []*turnpb.Message {
	out := make([]*turnpb.Message, 0, len(page))
	for _, seq := range page {
		out = append(out, b.rows[seq])
	}
	return out
}
