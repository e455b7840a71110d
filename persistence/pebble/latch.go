package pebble

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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

// failed returns the Failure of an operation on a path. An error of the operating system often says both itself: then
// the Failure has its cause only, so that they are not said twice.
func failed(op, path string, err error) *Failure {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p) && p.Path == path:
		err = p.Err
	case errors.As(err, &l) && l.Old == path:
		err = l.Err
	}
	return &Failure{Op: op, Path: path, Err: err}
}

// latch remembers the first failure. Once it is closed nothing is written and nothing is acknowledged any more.
type latch struct {
	// onFatal is told of the failure; nil if nothing needs to know.
	onFatal func(op, path string, err error)
	tripped atomic.Bool
	// done is closed when the failure is known; it wakes the goroutines that wait.
	done    chan struct{}
	failure *Failure // written once, before done is closed
	// simulated: the failure was asked for above Pebble. The file system works, so Pebble may be closed.
	simulated atomic.Bool
	// left is closed when the store is dropped, and its file system with it: what waits at the gate may go on.
	left chan struct{}
}

// newLatch is the latch of a store that is opened with these options.
func newLatch(o *Options) *latch {
	return &latch{onFatal: o.OnFatal, done: make(chan struct{}), left: make(chan struct{})}
}

// clear reports whether nothing has failed.
func (l *latch) clear() bool { return !l.tripped.Load() }

// trip records a failure, if it is the first, and hands it on. It returns when onFatal does; later failures return at
// once.
func (l *latch) trip(op, path string, err error) {
	if l.tripped.CompareAndSwap(false, true) {
		l.failure = failed(op, path, err)
		close(l.done)
		if l.onFatal != nil {
			l.onFatal(op, path, err)
		}
	}
}

// stop is trip for callers that must not go on: Pebble would do harm with the error, or end the process. The goroutine
// is leaked on purpose.
func (l *latch) stop(op, path string, err error) {
	l.trip(op, path, err)
	select {}
}

// tripBackground records the failure of a flush or a compaction. Its error may say itself which file it met.
func (l *latch) tripBackground(dir string, err error) {
	var p *fs.PathError
	if errors.As(err, &p) {
		l.trip(p.Op, p.Path, p)
		return
	}
	l.trip("flush or compact", dir, err)
}

// parks reports whether what comes from Pebble now must never go on.
func (l *latch) parks() bool { return !l.clear() && !l.simulated.Load() }

// cause is an ErrFailed with the failure, or nil.
func (l *latch) cause() error {
	if l.clear() {
		return nil
	}
	<-l.done
	return fmt.Errorf("%w: %w", ErrFailed, l.failure)
}
