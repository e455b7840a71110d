package dispatch

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// heldSet knows the instances that are held, from their rows. It parks their due timers until an instance is tried again. A
// deploy may hold every instance of a store, so a held instance takes a few bytes. The number of parked timers is bounded;
// those that have no room are read again.
type heldSet struct {
	max   int // of parked timers
	count int
	marks map[persistence.Incarnation]heldMark
	// parked has the parked timers of the instances that have any.
	parked map[persistence.Incarnation][]persistence.TimerItem
	// trying: instances that were told to try and have not answered. Their rows still say that they are held.
	trying map[persistence.Incarnation]struct{}
	// timersUnacked: instances that were told to try because a runtime was attached, with the runtime's number, until the first
	// of their timers is sent. That timer carries the number, too: without a timer the instance may have found nothing to do.
	timersUnacked map[persistence.Incarnation]uint64
	// freed: instances that are no longer held, although a page whose read is under way may still say that they are.
	freed map[persistence.Incarnation]struct{}
	// known: the first walk of the lease rows is complete. No timer is sent before.
	known bool
	// retryNext: a runtime was attached, so the next walk retries all held instances. now: the present walk does.
	retryNext, retryNow bool
	// attachNumber is the number of the runtime that was attached last. Numbers rise from one dispatcher to the next.
	attachNumber uint64
}

// heldMark has the flags of a held instance.
type heldMark uint8

const (
	// heldMore: some of its due timers had no room.
	heldMore heldMark = 1 << iota
	// heldCurrent: it was held after the last runtime was attached.
	heldCurrent
)

func newHeldSet(max int, first uint64) *heldSet {
	return &heldSet{
		max: max, marks: map[persistence.Incarnation]heldMark{}, parked: map[persistence.Incarnation][]persistence.TimerItem{},
		trying: map[persistence.Incarnation]struct{}{}, timersUnacked: map[persistence.Incarnation]uint64{},
		freed: map[persistence.Incarnation]struct{}{}, retryNext: true, attachNumber: first + 1,
	}
}

// hold adds a held instance.
func (h *heldSet) hold(iid persistence.Incarnation) {
	h.marks[iid] |= 0
	delete(h.trying, iid)
	delete(h.timersUnacked, iid)
	delete(h.freed, iid)
}

// notHeld ends the tries of an instance that is no longer held.
func (h *heldSet) notHeld(iid persistence.Incarnation) {
	delete(h.trying, iid)
	delete(h.timersUnacked, iid)
}

// takeUnacked returns the number of the runtime for which the timer's instance tries, if the timer is the first one that is
// sent after the attach; else 0.
func (h *heldSet) takeUnacked(iid persistence.Incarnation) uint64 {
	unacked := h.timersUnacked[iid]
	delete(h.timersUnacked, iid)
	return unacked
}

// notHeld notes that an instance is no longer held, also for a page of lease rows that is being read.
func (d *Dispatcher) notHeld(iid persistence.Incarnation) {
	d.heldBack.notHeld(iid)
	if d.ready.leases.running {
		d.heldBack.freed[iid] = struct{}{}
	}
}

// try notes that a held instance is being tried. It counts as held until its row, its end or its acknowledgement says
// otherwise.
func (h *heldSet) try(iid persistence.Incarnation, fresh uint64) {
	if _, held := h.marks[iid]; !held {
		return
	}
	h.trying[iid] = struct{}{}
	if fresh != 0 {
		h.timersUnacked[iid] = fresh
	}
}

// tries reports whether an instance was told to try and has not answered.
func (h *heldSet) tries(iid persistence.Incarnation) bool {
	_, trying := h.trying[iid]
	return trying
}

// park keeps a due timer of a held instance. It returns false if the instance is not held.
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

// remove removes a held instance and returns its parked timers. more: others had no room and must be read.
func (h *heldSet) remove(iid persistence.Incarnation) (items []persistence.TimerItem, more bool) {
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

// current reports whether an instance was held after the last runtime was attached.
func (h *heldSet) current(iid persistence.Incarnation) bool { return h.marks[iid]&heldCurrent != 0 }

// attached schedules a try of all instances that are held now, and reports whether there are any.
func (h *heldSet) attached() bool {
	h.retryNext = true
	h.attachNumber++
	for iid, mark := range h.marks {
		h.marks[iid] = mark &^ heldCurrent
	}
	return len(h.marks) > 0
}

// walkBegins says that a walk of the lease rows begins, perhaps once more because its first page could not be read.
func (h *heldSet) walkBegins() { h.retryNow, h.retryNext = h.retryNow || h.retryNext, false }

// walkEnds says that the walk has read the last page.
func (h *heldSet) walkEnds() { h.known, h.retryNow = true, false }

// hold notes that a lease row says that its instance is held. The instance's timers are parked, and it gets no tell before
// the time at which it is tried again. hold returns true if the row has no such time.
func (d *Dispatcher) hold(iid persistence.Incarnation, notBefore int64) bool {
	d.heldBack.hold(iid)
	d.heldBack.marks[iid] |= heldCurrent
	if notBefore == 0 {
		d.ready.dropLater(laterKey{iid, 0})
	}
	return notBefore == 0
}

// releaseTimers sends the parked timers of an instance after all: it is no longer held, or it is tried.
func (d *Dispatcher) releaseTimers(iid persistence.Incarnation) {
	items, more := d.heldBack.remove(iid)
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

// rewind starts the scan again from the first row, because due timers were dropped.
func (t *timers) rewind() {
	t.complete, t.through, t.rewound = false, persistence.TimerKey{}, true
}

// heldPage takes the lease row of a held instance from a walk. It marks the instance as held only if the walk retries it:
// the row may have changed after it was read, and without the try the mark would stay.
func (d *Dispatcher) heldPage(now int64, r *persistence.TurnLease) {
	switch {
	case d.heldBack.retryNow && !d.heldBack.current(r.IID):
		d.heldBack.hold(r.IID)
		d.ready.put(now, tell{id: r.ID, iid: r.IID, retry: true, fresh: d.heldBack.attachNumber})
		if d.ready.inReady[r.IID] == nil {
			d.heldBack.retryNext = true // the tell had no room: the next walk repeats it
		}
	case r.NotBeforeMs != 0:
		d.held(now, r.ID, r.IID, "", 0, r.NotBeforeMs)
	}
}

// Held counts the instances that are known to be held, including those that are being tried.
func (d *Dispatcher) Held() int { return len(d.heldBack.marks) + len(d.heldBack.trying) }
