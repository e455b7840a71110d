package dispatch

import (
	"cmp"
	"slices"
)

// wallClock turns elapsed time, which every now of this package is, into times of the wall clock, which rows hold, and
// back. The wall clock may be set at any time; what waits is ordered by the time in its row, so nothing needs to be
// sorted again then.
type wallClock struct {
	ahead int64 // of elapsed time
}

// at is what the wall clock shows.
func (c *wallClock) at(now int64) int64 { return now + c.ahead }

// until is the elapsed time at which the wall clock shows a time, if it is not set before.
func (c *wallClock) until(wallMs int64) int64 {
	if wallMs == Never || c.ahead < 0 && wallMs > Never+c.ahead {
		return Never
	}
	return wallMs - c.ahead
}

// SetWall says what the wall clock shows now. Call it before other inputs whenever it may have been set; what fell due by
// that is found by the next Tick.
func (d *Dispatcher) SetWall(now, wallMs int64) {
	before := d.wall.ahead
	d.wall.ahead = wallMs - now
	if before-d.wall.ahead >= setBackMinMs {
		d.work.setBack(now)
		d.ready.setBack(now, d.cfg.BackoffMaxMs)
	}
}

// setBackMinMs is by how much the clock must have been set back before anything is looked at for it.
const setBackMinMs = 100

// BacksOff reports whether a row's backoff holds at a time of the wall clock. A backoff that would end later than any
// backoff lasts began before the clock was set back, and is ignored.
func BacksOff(notBeforeMs, wallMs, backoffMaxMs int64) bool {
	return notBeforeMs > wallMs && notBeforeMs-wallMs <= max(backoffMaxMs, backoffLongMs)
}

// backoffLongMs is how long a delay may be although the backoff for missing handlers is set to less.
const backoffLongMs = 60_000

// setBack places anew what waits: some of it may have waited for a time that is far away now.
func (w *work) setBack(now int64) {
	waiting := w.later.clear()
	slices.SortFunc(waiting, func(a, b *entry) int { return cmp.Compare(a.item.Order, b.item.Order) })
	for _, e := range waiting {
		e.home = nil
		w.place(now, e)
	}
	if w.bounds.laterAt != Never {
		w.bounds.laterAt = min(w.bounds.laterAt, w.wall.at(now)) // so may some of what was left out
	}
}

// setBack finds the instances whose backoff or lease the new time has made longer than any is.
func (t *readyQueue) setBack(now, backoffMaxMs int64) {
	var over []*tell
	for _, x := range t.later.items {
		leased := x.retry && !x.backoff && x.dueAt > t.wall.at(now)+leaseLongMs
		if leased || x.backoff && !BacksOff(x.dueAt, t.wall.at(now), backoffMaxMs) {
			over = append(over, x)
		}
	}
	slices.SortFunc(over, func(a, b *tell) int { return cmp.Compare(a.iid, b.iid) })
	for _, x := range over {
		t.forget(laterKey{x.iid, x.seq})
		t.soon(*x)
	}
	if t.rewalkAt != Never {
		t.rewalkAt = min(t.rewalkAt, t.wall.at(now)) // so may some of what found no room
	}
}

// WaitsForWall reports whether anything waits for a time of the wall clock: then it matters that the clock is set.
func (d *Dispatcher) WaitsForWall() bool {
	return d.ready.later.len() > 0 || d.ready.rewalkAt != Never || d.work.later.len() > 0 || d.work.bounds.laterAt != Never ||
		d.timers.pending.len() > 0 || !d.timers.complete
}
