// Package clock is the seam between Turnstone and time: the only place that reads the wall clock or starts a timer.
//
// It owns the interface and the real clock. It must not know what the time is used for. The simulator brings its own
// implementation, whose timers fire as steps of its schedule.
package clock

import "time"

// Clock tells the time and calls back later. Implementations are safe for concurrent use.
type Clock interface {
	// Now is the wall clock.
	Now() time.Time
	// AfterFunc calls f once, on a goroutine of the clock's choosing, when at least d has passed. f must not block.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a pending call.
type Timer interface {
	// Stop prevents the call and reports whether it did.
	Stop() bool
}

// Real is the machine's clock.
var Real Clock = realClock{}

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

// Ms is the clock's time in milliseconds since the Unix epoch.
func Ms(c Clock) int64 { return c.Now().UnixMilli() }
