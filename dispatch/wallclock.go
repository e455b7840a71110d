package dispatch

import (
	"cmp"
	"slices"
)

// wallClock converts between elapsed time, which each parameter now of this package is, and times of the wall clock, which
// rows have. The wall clock may be set at any time. Rows are ordered by their own times, so no queue needs to be sorted
// again then.
type wallClock struct {
	ahead int64 // of elapsed time
}

// at returns the time of the wall clock.
func (c *wallClock) at(now int64) int64 { return now + c.ahead }

// until returns the elapsed time at which the wall clock will show a time, if it is not set before.
func (c *wallClock) until(wallMs int64) int64 {
	if wallMs == Never || c.ahead < 0 && wallMs > Never+c.ahead {
		return Never
	}
	return wallMs - c.ahead
}

// SetWall takes the present time of the wall clock. Call it before other inputs whenever the clock may have been set. The
// next Tick finds what is due by the new time.
func (d *Dispatcher) SetWall(now, wallMs int64) {
	before := d.wall.ahead
	d.wall.ahead = wallMs - now
	if before-d.wall.ahead >= setBackMinMs {
		d.work.setBack(now)
		d.ready.setBack(now, d.cfg.BackoffMaxMs)
	}
}

// setBackMinMs is the smallest step back of the clock for which the queues are checked.
const setBackMinMs = 100

// BacksOff reports whether a row's backoff lasts at a time of the wall clock. A backoff that would last longer than the
// maximum began before the clock was set back, and is ignored.
func BacksOff(notBeforeMs, wallMs, backoffMaxMs int64) bool {
	return notBeforeMs > wallMs && notBeforeMs-wallMs <= max(backoffMaxMs, backoffLongMs)
}

// backoffLongMs is the shortest maximum of a delay in a row, even if BackoffMaxMs is less: other delays than the backoff
// for missing handlers may be longer.
const backoffLongMs = 60_000

// setBack places the waiting rows again: the time of some may now be so far away that it is ignored.
func (w *work) setBack(now int64) {
	waiting := w.later.clear()
	slices.SortFunc(waiting, func(a, b *entry) int { return cmp.Compare(a.item.Order, b.item.Order) })
	for _, e := range waiting {
		e.queue = nil
		w.place(now, e)
	}
	if w.bounds.laterAt != Never {
		w.bounds.laterAt = min(w.bounds.laterAt, w.wall.at(now)) // the time of omitted rows may be ignored, too
	}
}

// setBack queues the instances whose backoff or lease would last longer than the maximum by the new time.
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
		t.dropLater(laterKey{x.iid, x.seq})
		t.enqueue(*x)
	}
	if t.rewalkAt != Never {
		t.rewalkAt = min(t.rewalkAt, t.wall.at(now)) // the time of dropped tells may be ignored, too
	}
}

// WaitsForWall reports whether any row waits for a time of the wall clock. If so, the caller must notice when the clock is
// set.
func (d *Dispatcher) WaitsForWall() bool {
	return d.ready.later.len() > 0 || d.ready.rewalkAt != Never || d.work.later.len() > 0 || d.work.deadlines.len() > 0 || d.work.bounds.laterAt != Never ||
		d.timers.pending.len() > 0 || !d.timers.complete
}
