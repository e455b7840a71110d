package dispatch

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// heldSet knows the instances that are held, from their rows. Their timers that come due are parked here: they are told
// when the instance is tried again.
type heldSet struct {
	max    int // of parked timers
	parked int
	byIID  map[persistence.Incarnation]*heldTimers
	// known: the first walk of the lease rows is over. No timer is told before it.
	known bool
	// fresh: a runtime was attached, so the next walk has all that are held tried again. now: the present walk does.
	fresh, now bool
}

type heldTimers struct {
	items []persistence.TimerItem
	// more: some found no room. They are read again.
	more bool
	// current: it was held after the last runtime was attached.
	current bool
}

func newHeldSet(max int) *heldSet {
	return &heldSet{max: max, byIID: map[persistence.Incarnation]*heldTimers{}, fresh: true}
}

func (h *heldSet) hold(iid persistence.Incarnation) {
	if h.byIID[iid] == nil {
		h.byIID[iid] = &heldTimers{}
	}
}

// park keeps a timer that has come due. False: its instance is not held.
func (h *heldSet) park(item persistence.TimerItem) bool {
	x := h.byIID[item.Key.IID]
	switch {
	case x == nil:
		return false
	case slices.Contains(x.items, item):
	case h.parked >= h.max:
		x.more = true
	default:
		x.items = append(x.items, item)
		h.parked++
	}
	return true
}

// deleted takes the end of a timer's row.
func (h *heldSet) deleted(key persistence.TimerKey) {
	x := h.byIID[key.IID]
	if x == nil {
		return
	}
	if i := slices.IndexFunc(x.items, func(item persistence.TimerItem) bool { return item.Key == key }); i >= 0 {
		x.items = slices.Delete(x.items, i, i+1)
		h.parked--
	}
}

// free forgets that an instance is held, and gives what was parked. more: some was not, and must be read.
func (h *heldSet) free(iid persistence.Incarnation) (items []persistence.TimerItem, more bool) {
	x := h.byIID[iid]
	if x == nil {
		return nil, false
	}
	delete(h.byIID, iid)
	h.parked -= len(x.items)
	return x.items, x.more
}

// hold notes what a lease row says of an instance that is held: its timers wait, and it is told only when it is to be
// tried again. True: that is never by itself.
func (d *Dispatcher) hold(iid persistence.Incarnation, notBefore int64) bool {
	d.heldBack.hold(iid)
	d.heldBack.byIID[iid].current = true
	for _, item := range d.timers.toldTo(iid) { // the instance has forgotten them
		d.timers.forget(item.Key)
		d.heldBack.park(item)
	}
	if notBefore == 0 {
		d.tells.forget(laterKey{iid, 0})
	}
	return notBefore == 0
}

// free lets the timers of an instance be told again: it is not held any more, or it is tried.
func (d *Dispatcher) free(iid persistence.Incarnation) {
	items, more := d.heldBack.free(iid)
	for _, item := range items {
		d.timers.insert(item)
	}
	if more {
		d.timers.rewind()
	}
}

// toldTo lists what an instance has been told and has not consumed.
func (t *timers) toldTo(iid persistence.Incarnation) (items []persistence.TimerItem) {
	for _, x := range t.told.items {
		if x.item.Key.IID == iid {
			items = append(items, x.item)
		}
	}
	return items
}

// rewind has the rows read again from the first on: some that were known have been dropped.
func (t *timers) rewind() {
	t.complete, t.through = false, persistence.TimerKey{}
}

// heldPage takes what a walk finds of an instance that is held. Only a walk that has it tried again marks it: its row may
// have changed since it was read, and then only the try would take the mark away.
func (d *Dispatcher) heldPage(now int64, r *persistence.TurnLease) {
	switch {
	case d.heldBack.now && !d.heldBack.current(r.IID):
		d.heldBack.hold(r.IID)
		d.tells.put(now, tell{id: r.ID, iid: r.IID, retry: true, fresh: true})
		if d.tells.inRdy[r.IID] == nil {
			d.heldBack.fresh = true // it found no room: the next walk finds it
		}
	case r.NotBeforeMs != 0:
		d.held(now, r.ID, r.IID, "", 0, r.NotBeforeMs)
	}
}

// current says that an instance was held after the last runtime was attached.
func (h *heldSet) current(iid persistence.Incarnation) bool {
	x := h.byIID[iid]
	return x != nil && x.current
}

// attached has what is held now tried again, and says whether there is anything.
func (h *heldSet) attached() bool {
	h.fresh = true
	for _, x := range h.byIID {
		x.current = false
	}
	return len(h.byIID) > 0
}

// walkBegins says that the lease rows are walked from the first on.
func (h *heldSet) walkBegins() { h.now, h.fresh = h.fresh, false }

// Held counts the instances that are known to be held.
func (d *Dispatcher) Held() int { return len(d.heldBack.byIID) }
