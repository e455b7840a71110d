package instance

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/persistence"
)

// damagedMax bounds how many damaged instances are remembered.
const damagedMax = 10_000

// damaged remembers what is damaged of an instance until the instance is loaded whole or has ended. So the damage is
// logged once and not at each load, and a caller that waits for the end is told of it.
type damaged struct {
	mu   sync.Mutex
	errs map[string]error
	// n is len(errs): as good as always 0, so that a load and an end need no lock.
	n atomic.Int64
}

// note remembers what is damaged of an instance. It says whether it was not known to be damaged.
func (d *damaged) note(id string, err error) (first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, known := d.errs[id]
	if d.errs == nil || !known && len(d.errs) >= damagedMax {
		d.errs = map[string]error{}
	}
	d.errs[id] = err
	d.n.Store(int64(len(d.errs)))
	return !known
}

// of is what is damaged of an instance; nil if it is not known to be.
func (d *damaged) of(id string) error {
	if d.n.Load() == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.errs[id]
}

// forget is told that an instance is whole, or gone.
func (d *damaged) forget(id string) {
	if d.n.Load() == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.errs, id)
	d.n.Store(int64(len(d.errs)))
}

// checkChildren compares the head's counter with what was read.
func (m *loadMsg) checkChildren() error {
	v := &m.view
	if n := uint64(len(v.children)); n != v.head.Children {
		return fmt.Errorf("%w: the head counts %d children, and %d are there", persistence.ErrCorrupt, v.head.Children, n)
	}
	return nil
}

// check compares what the head counts with a page that was read by age, before it is taken. The head tells how many rows
// are left behind what is in memory, so also how many holes there may be, and a row that is missing is one hole too many:
// in the page in which it is, if nothing was consumed out of order, else in the last one at the latest.
func (p *inboxPage) check(m *inboxRead) error {
	if !m.byAge {
		return nil
	}
	here, _ := slices.BinarySearchFunc(p.rows, m.after+1, bySeq)
	left := m.head.Inbox - min(m.head.Inbox, uint64(here))
	holes := m.through - min(m.through, m.after) - min(m.through-min(m.through, m.after), uint64(m.count))
	if behind := m.head.NextSeq - 1 - min(m.head.NextSeq-1, m.after); !m.more && uint64(m.count) != left || holes+left > behind {
		return fmt.Errorf("%w: the head counts %d messages in the inbox behind number %d, and %d are there up to number %d",
			persistence.ErrCorrupt, left, m.after, m.count, m.through)
	}
	return nil
}
