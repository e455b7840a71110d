package locallog

import (
	"runtime"

	"github.com/turnstone-dev/turnstone/internal/invariants"
)

// take moves waiting proposals into a flight, up to the batch's bounds, and returns how many. It first adds the flight to
// the known ones, so that Fail finds each proposal in the queue or in a flight.
func (l *Log) take(f *flight) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for most := l.c.BatchCommands - len(f.entries); n < min(len(l.mu.queue), most) && f.size < l.c.BatchBytes; n++ {
		f.size += l.mu.queue[n].size
		l.mu.queued -= l.mu.queue[n].size
	}
	if n == 0 || l.mu.failed {
		return 0
	}
	if len(f.entries) == 0 {
		l.mu.flights = append(l.mu.flights, f)
	}
	f.entries = append(f.entries, l.mu.queue[:n]...)
	rest := copy(l.mu.queue, l.mu.queue[n:])
	clear(l.mu.queue[rest:])
	l.mu.queue = l.mu.queue[:rest]
	if invariants.Enabled {
		l.verify()
	}
	return n
}

// gatherRounds is how often the driver yields to other goroutines before it closes a batch under load.
const gatherRounds = 8

// drive is the core's only writer: it fills one batch while the last ones sync.
func (l *Log) drive() {
	defer l.running.Done()
	defer close(l.submitted)
	busy := false
	for {
		f := l.newFlight()
		if !l.begin(f) {
			_ = f.batch.Close() // an empty batch holds nothing
			return
		}
		if busy {
			// Under load the goroutines that the last batch has woken may propose more before this one closes. Yielding
			// costs nothing when none of them can run, and saves one sync in four with 64 instances in flight.
			for range gatherRounds {
				runtime.Gosched()
				l.fill(f)
			}
		}
		if !l.waitSlot(f) || !f.batch.Commit() {
			return
		}
		busy = len(f.entries) > 1
		l.submitted <- f
	}
}

// begin waits for the first proposals of a flight. It returns false when there will be none.
func (l *Log) begin(f *flight) bool {
	for l.fill(f) == 0 {
		select {
		case <-l.wake:
		case <-l.failed:
			return false
		case <-l.closing:
			return l.fill(f) > 0
		}
	}
	return true
}

// waitSlot fills the flight until the pipeline has room.
func (l *Log) waitSlot(f *flight) bool {
	for {
		wake := l.wake
		if l.full(f) {
			wake = nil
		}
		select {
		case l.slots <- struct{}{}:
			return l.core.Sound()
		case <-l.failed:
			return false
		case <-wake:
			l.fill(f)
		}
	}
}

// full reports whether a batch has reached its bounds.
func (l *Log) full(f *flight) bool {
	return f.size >= l.c.BatchBytes || len(f.entries) >= l.c.BatchCommands
}

// fill takes waiting proposals, up to the batch's bounds, and applies them. It returns how many it took.
func (l *Log) fill(f *flight) int {
	if l.full(f) {
		return 0
	}
	from := len(f.entries)
	n := l.take(f)
	if n > 0 {
		f.batch.Apply(f.entries[from:])
	}
	return n
}

func (l *Log) newFlight() *flight {
	var f *flight
	select {
	case f = <-l.spare:
	default:
		f = &flight{batch: l.core.NewBatch()}
	}
	f.batch.Begin()
	return f
}

// reuse keeps a released flight for the next batch.
func (l *Log) reuse(f *flight) {
	clear(f.entries)
	f.entries, f.size = f.entries[:0], 0
	select {
	case l.spare <- f:
	default:
	}
}
