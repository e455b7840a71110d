package instance

import (
	"sync"
	"sync/atomic"
)

// damagedMax bounds how many damaged instances are remembered.
const damagedMax = 10_000

// damaged remembers the damage of instances until they can be loaded or have ended. So the damage is logged once and not at
// each load, and a caller that waits for the end gets the damage as its error.
type damaged struct {
	mu   sync.Mutex
	errs map[string]error
	// n is len(errs). It is almost always 0, and then a load and an end need no lock.
	n atomic.Int64
}

// note remembers the damage of an instance. It returns true if the instance was not known to be damaged.
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

// of returns the damage of an instance, or nil if none is known.
func (d *damaged) of(id string) error {
	if d.n.Load() == 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.errs[id]
}

// forget forgets the damage of an instance that could be loaded or has ended.
func (d *damaged) forget(id string) {
	if d.n.Load() == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.errs, id)
	d.n.Store(int64(len(d.errs)))
}
