package clock

import (
	"sync"
	"time"
)

const (
	// watchEvery is how often the two times are compared while that is needed.
	watchEvery = time.Second
	// stepMin is by how much they must have moved apart: a time server that slows the clock down or speeds it up takes
	// minutes for that.
	stepMin = 100 * time.Millisecond
)

// Watch notices that the wall clock was set: it compares the wall clock with the elapsed time once a second, as long as
// that is needed by anything that waits for a time of the wall clock. All methods are safe for concurrent use.
type Watch struct {
	clock   Clock
	stepped func()

	mu      sync.Mutex
	needs   int
	ahead   time.Duration // of the wall clock, when stepped was last called
	timer   Timer         // nil: none is set
	stopped bool
}

// NewWatch makes a watch that nothing needs yet. stepped is called on a goroutine of the clock's choosing, within about a
// second after the wall clock was set; it must not block.
func NewWatch(c Clock, stepped func()) *Watch {
	w := &Watch{clock: c, stepped: stepped}
	w.ahead = w.aheadNow()
	return w
}

// aheadNow is by how much the wall clock is ahead of the elapsed time, up to a constant.
func (w *Watch) aheadNow() time.Duration {
	return time.Duration(w.clock.Now().UnixMilli())*time.Millisecond - w.clock.Elapsed()
}

// Need says that one more thing waits for a time of the wall clock.
func (w *Watch) Need() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.needs++
	w.arm()
}

// Spare takes one Need back.
func (w *Watch) Spare() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.needs--
}

// arm sets the timer, with w.mu held.
func (w *Watch) arm() {
	if w.timer == nil && w.needs > 0 && !w.stopped {
		w.timer = w.clock.AfterFunc(watchEvery, w.look)
	}
}

func (w *Watch) look() {
	w.mu.Lock()
	w.timer = nil
	ahead := w.aheadNow()
	moved := (ahead - w.ahead).Abs() >= stepMin
	if moved {
		w.ahead = ahead
	}
	w.arm()
	moved = moved && !w.stopped
	w.mu.Unlock()
	if moved {
		w.stepped()
	}
}

// Stop ends the watch.
func (w *Watch) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}
