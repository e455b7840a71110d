package dispatch

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// heldSet knows the instances that are held, from their rows. Their timers that come due are parked here: they are told
// when the instance is tried again. A deploy may hold every instance of a store, so one of them takes a few bytes; the
// timers that are parked are bounded, and those that find no room are read again.
type heldSet struct {
	max   int // of parked timers
	count int
	marks map[persistence.Incarnation]heldMark
	// parked: those that have any.
	parked map[persistence.Incarnation][]persistence.TimerItem
	// trying: those that were told to try and have not said how that went. Their rows say that they are held.
	trying map[persistence.Incarnation]struct{}
	// owed: those that were told to try because a runtime was attached, and whose timers have not been told since, with
	// the runtime's number. The first of these timers carries the number too: without the timer the instance may have
	// found nothing to try for.
	owed map[persistence.Incarnation]uint64
	// gone: those that are not held any more, though a page that is being read may say so.
	gone map[persistence.Incarnation]struct{}
	// known: the first walk of the lease rows is over. No timer is told before it.
	known bool
	// fresh: a runtime was attached, so the next walk has all that are held tried again. now: the present walk does.
	fresh, now bool
	// attach is the number of the runtime that was attached last. Numbers rise from one dispatcher to the next.
	attach uint64
}

// heldMark is what is known of an instance that is held.
type heldMark uint8

const (
	// heldMore: some of its timers found no room.
	heldMore heldMark = 1 << iota
	// heldCurrent: it was held after the last runtime was attached.
	heldCurrent
)

func newHeldSet(max int, first uint64) *heldSet {
	return &heldSet{
		max: max, marks: map[persistence.Incarnation]heldMark{}, parked: map[persistence.Incarnation][]persistence.TimerItem{},
		trying: map[persistence.Incarnation]struct{}{}, owed: map[persistence.Incarnation]uint64{},
		gone: map[persistence.Incarnation]struct{}{}, fresh: true, attach: first + 1,
	}
}

// hold notes that an instance is held.
func (h *heldSet) hold(iid persistence.Incarnation) {
	h.marks[iid] |= 0
	delete(h.trying, iid)
	delete(h.owed, iid)
	delete(h.gone, iid)
}

// over notes that an instance is not held any more.
func (h *heldSet) over(iid persistence.Incarnation) {
	delete(h.trying, iid)
	delete(h.owed, iid)
}

// timer says for which new runtime the instance of a timer is to be tried, if the timer is the first that is told since;
// else 0.
func (h *heldSet) timer(iid persistence.Incarnation) uint64 {
	owed := h.owed[iid]
	delete(h.owed, iid)
	return owed
}

// over notes that an instance is not held any more.
func (d *Dispatcher) over(iid persistence.Incarnation) {
	d.heldBack.over(iid)
	if d.ready.leases.running {
		d.heldBack.gone[iid] = struct{}{}
	}
}

// try notes that an instance that is held is being tried: it counts as held until its row, its end or its acknowledgement
// says otherwise.
func (h *heldSet) try(iid persistence.Incarnation, fresh uint64) {
	if _, held := h.marks[iid]; !held {
		return
	}
	h.trying[iid] = struct{}{}
	if fresh != 0 {
		h.owed[iid] = fresh
	}
}

// tries says that an instance was told to try, and has not said how that went.
func (h *heldSet) tries(iid persistence.Incarnation) bool {
	_, trying := h.trying[iid]
	return trying
}

// park keeps a timer that has come due. False: its instance is not held.
func (h *heldSet) park(item persistence.TimerItem) bool {
	iid := item.Key.IID
	mark, held := h.marks[iid]
	switch {
	case !held:
		return false
	case slices.Contains(h.parked[iid], item):
	case h.count >= h.max:
		h.marks[iid] = mark | heldMore
	default:
		h.parked[iid] = append(h.parked[iid], item)
		h.count++
	}
	return true
}

// deleted takes the end of a timer's row.
func (h *heldSet) deleted(key persistence.TimerKey) {
	items := h.parked[key.IID]
	i := slices.IndexFunc(items, func(item persistence.TimerItem) bool { return item.Key == key })
	if i < 0 {
		return
	}
	h.count--
	if len(items) == 1 {
		delete(h.parked, key.IID)
	} else {
		h.parked[key.IID] = slices.Delete(items, i, i+1)
	}
}

// free forgets that an instance is held, and gives what was parked. more: some was not, and must be read.
func (h *heldSet) free(iid persistence.Incarnation) (items []persistence.TimerItem, more bool) {
	mark, held := h.marks[iid]
	if !held {
		return nil, false
	}
	items = h.parked[iid]
	delete(h.marks, iid)
	delete(h.parked, iid)
	h.count -= len(items)
	return items, mark&heldMore != 0
}

// current says that an instance was held after the last runtime was attached.
func (h *heldSet) current(iid persistence.Incarnation) bool { return h.marks[iid]&heldCurrent != 0 }

// attached has what is held now tried again, and says whether there is anything.
func (h *heldSet) attached() bool {
	h.fresh = true
	h.attach++
	for iid, mark := range h.marks {
		h.marks[iid] = mark &^ heldCurrent
	}
	return len(h.marks) > 0
}

// walkBegins says that the lease rows are walked from the first on, perhaps because the first page could not be read.
func (h *heldSet) walkBegins() { h.now, h.fresh = h.now || h.fresh, false }

// walkEnds says that the last page has come.
func (h *heldSet) walkEnds() { h.known, h.now = true, false }

// hold notes what a lease row says of an instance that is held: its timers wait, and it is told only when it is to be
// tried again. True: that is never by itself.
func (d *Dispatcher) hold(iid persistence.Incarnation, notBefore int64) bool {
	d.heldBack.hold(iid)
	d.heldBack.marks[iid] |= heldCurrent
	if notBefore == 0 {
		d.ready.forget(laterKey{iid, 0})
	}
	return notBefore == 0
}

// free lets the timers of an instance be told again: it is not held any more, or it is tried.
func (d *Dispatcher) free(iid persistence.Incarnation) {
	items, more := d.heldBack.free(iid)
	if plantedParked {
		return
	}
	for _, item := range items {
		d.timers.insert(item)
	}
	if more {
		d.timers.rewind()
	}
}

// rewind has the rows read again from the first on: some that were known have been dropped.
func (t *timers) rewind() {
	t.complete, t.through, t.rewound = false, persistence.TimerKey{}, true
}

// heldPage takes what a walk finds of an instance that is held. Only a walk that has it tried again marks it: its row may
// have changed since it was read, and then only the try would take the mark away.
func (d *Dispatcher) heldPage(now int64, r *persistence.TurnLease) {
	switch {
	case d.heldBack.now && !d.heldBack.current(r.IID):
		d.heldBack.hold(r.IID)
		d.ready.put(now, tell{id: r.ID, iid: r.IID, retry: true, fresh: d.heldBack.attach})
		if d.ready.inRdy[r.IID] == nil {
			d.heldBack.fresh = true // it found no room: the next walk finds it
		}
	case r.NotBeforeMs != 0:
		d.held(now, r.ID, r.IID, "", 0, r.NotBeforeMs)
	}
}

// Held counts the instances that are known to be held, those that are being tried among them.
func (d *Dispatcher) Held() int { return len(d.heldBack.marks) + len(d.heldBack.trying) }
