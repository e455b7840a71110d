package pebble

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
)

// Failure is the first failed operation of a store's file system, or another error that made the store stop.
type Failure struct {
	// Op is the operation, for example "write" or "sync directory"; Path is its file or directory.
	Op   string
	Path string
	Err  error
}

// Error says which operation failed, where, and how.
func (f *Failure) Error() string { return fmt.Sprintf("%s %s: %v", f.Op, f.Path, f.Err) }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// failed returns the Failure of an operation on a path. An error of the operating system often names both itself. The
// Failure then has only its cause, so that the text does not name them twice.
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

// latch records the first failure. Once it is closed, the store writes and acknowledges nothing any more.
type latch struct {
	// onFatal is called with the failure; it may be nil.
	onFatal func(op, path string, err error)
	tripped atomic.Bool
	// done is closed when the failure is known; it wakes the goroutines that wait.
	done    chan struct{}
	failure *Failure // written once, before done is closed
	// simulated: the failure was injected above Pebble. The file system works, so Pebble may be closed.
	simulated atomic.Bool
	// dropped is closed when the store and its file system are dropped: calls that stop blocks may go on.
	dropped chan struct{}
}

// newLatch makes the latch of a store that is opened with these options.
func newLatch(o *Options) *latch {
	return &latch{onFatal: o.OnFatal, done: make(chan struct{}), dropped: make(chan struct{})}
}

// clear reports whether nothing has failed.
func (l *latch) clear() bool { return !l.tripped.Load() }

// trip records a failure, if it is the first, and calls onFatal. For later failures it returns at once.
func (l *latch) trip(op, path string, err error) {
	if l.tripped.CompareAndSwap(false, true) {
		l.failure = failed(op, path, err)
		close(l.done)
		if l.onFatal != nil {
			l.onFatal(op, path, err)
		}
	}
}

// stop is trip for calls of Pebble that must not return: with the error Pebble would damage the store, or end the process.
// The goroutine is leaked on purpose.
func (l *latch) stop(op, path string, err error) {
	l.trip(op, path, err)
	select {}
}

// tripBackground records the failure of a flush or a compaction, whose error may name the file itself.
func (l *latch) tripBackground(dir string, err error) {
	var p *fs.PathError
	if errors.As(err, &p) {
		l.trip(p.Op, p.Path, p)
		return
	}
	l.trip("flush or compact", dir, err)
}

// blocksPebble reports whether a call from or to Pebble must not go on, because a real operation of the disk has failed.
func (l *latch) blocksPebble() bool { return !l.clear() && !l.simulated.Load() }

// cause returns an ErrFailed that wraps the failure, or nil.
func (l *latch) cause() error {
	if l.clear() {
		return nil
	}
	<-l.done
	return fmt.Errorf("%w: %w", ErrFailed, l.failure)
}
