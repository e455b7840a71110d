// Package clock is the seam between Turnstone and time: the only place that reads a clock or starts a timer.
//
// It owns the interface, the real clock, and the watch that notices when the wall clock is set. It must not know what the
// time is used for. The simulator brings its own implementation, whose timers fire as steps of its schedule.
//
// There are two times. The wall clock is for what is stored and compared after a restart: when a timer is due, when a
// lease expires. A person or a time server may set it at any moment. Elapsed time is for everything that is waited for in
// this process: it never jumps.
package clock

import "time"

// Clock tells the time and calls back later. Implementations are safe for concurrent use.
type Clock interface {
	// Now is the wall clock.
	Now() time.Time
	// Elapsed is how much time has passed since a moment before the first call. Setting the wall clock does not move it.
	Elapsed() time.Duration
	// AfterFunc calls f once, on a goroutine of the clock's choosing, when at least d has elapsed. f must not block.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a pending call.
type Timer interface {
	// Stop prevents the call and reports whether it did.
	Stop() bool
}

// Real is the machine's clock.
var Real Clock = realClock{}

// origin is the moment from which the machine's elapsed time is counted. It lies so far back that it is before the year
// 2000 too, in which the virtual time of testing/synctest begins.
var origin = time.Now().Add(-50 * 365 * 24 * time.Hour)

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) Elapsed() time.Duration { return time.Since(origin) }

func (realClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }

// WallMs is the wall clock in milliseconds since the Unix epoch.
func WallMs(c Clock) int64 { return c.Now().UnixMilli() }

// ElapsedMs is the elapsed time in milliseconds.
func ElapsedMs(c Clock) int64 { return c.Elapsed().Milliseconds() }
