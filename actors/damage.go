package actors

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/persistence"
)

// damagedMax bounds how many damaged instances are remembered.
const damagedMax = 10_000

// damaged remembers what is damaged of instances, until one is loaded whole or has ended: each is logged once and not at
// each load, and who waits for its end is answered.
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

// setAside logs what is damaged of an instance, once, and tells those who wait for its end. Nothing is committed on it,
// what is asked of it is answered with the damage, and the others go on.
func (in *instance) setAside(err error) {
	if in.e.damaged.note(in.id, err) {
		in.e.cfg.Logger.Error("an instance is damaged and set aside; verify the store, and restore it from a backup",
			"instance", in.id, "error", err)
	}
	in.e.waiters.damaged(in.id, err)
}

// checkCounts compares the head's counters with what was read.
func (m *loadMsg) checkCounts() error {
	v := &m.view
	if n := uint64(len(v.children)); n != v.head.Children {
		return fmt.Errorf("%w: the head counts %d children, and %d are there", persistence.ErrCorrupt, v.head.Children, n)
	}
	if n := uint64(m.inbox.count); m.inbox.byAge && !m.inbox.more && !m.inbox.full && n != v.head.Inbox {
		return fmt.Errorf("%w: the head counts %d messages in the inbox, and %d are there", persistence.ErrCorrupt, v.head.Inbox, n)
	}
	return nil
}
