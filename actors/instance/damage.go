package instance

import (
	"sync"
	"sync/atomic"
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
