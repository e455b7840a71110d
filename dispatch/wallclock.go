package dispatch

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
func (d *Dispatcher) SetWall(now, wallMs int64) { d.wall.ahead = wallMs - now }

// WaitsForWall reports whether anything waits for a time of the wall clock: then it matters that the clock is set.
func (d *Dispatcher) WaitsForWall() bool {
	return d.tells.later.len() > 0 || d.tells.rewalkAt != Never || d.work.later.len() > 0 || d.work.bounds.laterAt != Never ||
		d.timers.pending.len() > 0 || !d.timers.complete
}
