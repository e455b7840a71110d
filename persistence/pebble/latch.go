package pebble

import (
	"fmt"
	"sync/atomic"
)

// Failure is the first failed write-side operation of a store's file system, or what else made the store stop.
type Failure struct {
	// Op is the operation, for example "write" or "sync directory"; Path is what it was done to.
	Op   string
	Path string
	Err  error
}

// Error says which operation failed, where, and how.
func (f *Failure) Error() string { return fmt.Sprintf("%s %s: %v", f.Op, f.Path, f.Err) }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// latch remembers the first failure. Once it is closed nothing is written and nothing is acknowledged any more.
type latch struct {
	onFatal func(op, path string, err error)
	tripped atomic.Bool
	done    chan struct{}
	failure *Failure // written once, before done is closed
	// simulated: the failure was asked for above Pebble. The file system works, so Pebble may be closed.
	simulated atomic.Bool
	// left is closed when the store is dropped, and its file system with it: what waits at the gate may go on.
	left chan struct{}
}

func newLatch(onFatal func(op, path string, err error)) *latch {
	return &latch{onFatal: onFatal, done: make(chan struct{}), left: make(chan struct{})}
}

// clear reports whether nothing has failed.
func (l *latch) clear() bool {
	select {
	case <-l.done:
		return false
	default:
		return true
	}
}

// trip records a failure, if it is the first, and hands it on. It returns if onFatal does; later failures return at
// once.
func (l *latch) trip(op, path string, err error) {
	if l.tripped.CompareAndSwap(false, true) {
		l.failure = &Failure{Op: op, Path: path, Err: err}
		close(l.done)
		l.onFatal(op, path, err)
	}
}

// stop is trip for callers that must not go on: Pebble's own goroutines, which would do harm with the error.
func (l *latch) stop(op, path string, err error) {
	l.trip(op, path, err)
	select {}
}

// parks reports whether what comes from Pebble now must never go on.
func (l *latch) parks() bool { return !l.clear() && !l.simulated.Load() }

// cause is the failure, or nil.
func (l *latch) cause() error {
	if l.clear() {
		return nil
	}
	return l.failure
}
