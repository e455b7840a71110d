package view

import (
	"slices"

	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Verify checks the invariants of a view. It panics if one is broken.
func (v *View) Verify() {
	due := make(map[persistence.TimerKey]bool, len(v.Due))
	for _, key := range v.Due {
		invariants.Check(!due[key], "timer %v is noted as due twice", key)
		due[key] = true
	}
	v.Inbox.verify()
}

// verify checks the invariants of a page that need no look at the stored inbox.
func (p *Page) verify() {
	invariants.Check(p.Read <= p.Seen && p.Read <= p.zero, "rows are read up to %d, of topics up to %d, without a name up to %d", p.Read, p.Seen, p.zero)
	invariants.Check(p.Gap || p.Read == p.Seen, "without a gap rows are read up to %d and seen up to %d", p.Read, p.Seen)
	invariants.Check(p.Known || p.Wanted == nil, "the page has wanted names, and does not know which names are wanted")
	bytes := 0
	for i := range p.Rows {
		item := &p.Rows[i]
		bytes += item.Size
		invariants.Check(i == 0 || p.Rows[i-1].Seq < item.Seq, "row %d comes behind row %d", item.Seq, p.Rows[max(i, 1)-1].Seq)
		invariants.Check(p.covered(item), "row %d is beyond what has been read", item.Seq)
	}
	invariants.Check(bytes == p.Bytes, "the page counts %d bytes and has %d", p.Bytes, bytes)
}

// covered reports whether the page reaches a row.
func (p *Page) covered(item *Item) bool {
	return item.Seq <= p.Read || item.Topic == 0 && item.Seq <= p.zero || item.Seq <= p.Seen && slices.Contains(p.topics, item.Topic)
}
