package actors

import (
	"fmt"
	"sync"

	"github.com/turnstone-dev/turnstone/persistence"
)

// damagedMax bounds how many damaged instances are remembered.
const damagedMax = 10_000

// damaged remembers which instances were found damaged, so that each is logged once and not at each load.
type damaged struct {
	mu  sync.Mutex
	ids map[string]struct{}
}

// first says whether an instance is found damaged for the first time.
func (d *damaged) first(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.ids[id]; known {
		return false
	}
	if d.ids == nil || len(d.ids) >= damagedMax {
		d.ids = map[string]struct{}{}
	}
	d.ids[id] = struct{}{}
	return true
}

// logDamage logs what is damaged of an instance, once. It is set aside: nothing is committed on it, what is asked of it is
// answered with the damage, and the others go on.
func (in *instance) logDamage(err error) {
	if in.e.damaged.first(in.id) {
		in.e.cfg.Logger.Error("an instance is damaged and set aside; verify the store, and restore it from a backup",
			"instance", in.id, "error", err)
	}
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
