package client

import (
	"errors"
	"sync"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/persistence"
)

// End is how an instance ended.
type End struct {
	// State is Completed or Failed.
	State State
	// Output is the encoded result of a completed instance.
	Output []byte
	// Failure says why a failed one failed.
	Failure *turnstone.Failure
	// Execution is the one that ended.
	Execution uint64
}

// Err is the failure as an error; nil if the instance completed.
func (e End) Err() error {
	if e.Failure == nil {
		return nil
	}
	return e.Failure
}

// WaitOption changes one wait.
type WaitOption func(*waiter)

// WaitForStart waits also for an instance that does not exist yet: one that another caller starts, or a child or a
// detached instance whose start is on its way. Without it such a wait ends at once.
func WaitForStart() WaitOption { return func(w *waiter) { w.forStart = true } }

// waiter waits for one instance: it registers for its end, then reads whether it has ended already, unless the engine
// is sure to tell it. Whichever answers first is the answer.
type waiter struct {
	core *Core
	id   string
	done func(End, error)
	// forStart: that there is no such instance is no answer.
	forStart bool

	mu       sync.Mutex
	unwatch  func()
	finished bool
}

// start registers and reads.
func (w *waiter) start() {
	unwatch, sure := w.core.engine.WatchEnd(w.id, w.ended, w.damaged)
	w.mu.Lock()
	w.unwatch = unwatch
	over := w.finished // given up, or told of the end, in between
	w.mu.Unlock()
	if over {
		unwatch()
		return
	}
	if !sure {
		w.read(nil)
	}
}

// read reads whether the instance has ended. If it has not, damage is the answer, unless that is nil.
func (w *waiter) read(damage error) {
	view(&w.core.reads, w.id, func(r persistence.Reader) (*End, error) {
		end, err := readEnd(r, w.id, w.core.codec)
		if w.forStart && errors.Is(err, persistence.ErrNotFound) {
			return nil, nil
		}
		return end, err
	}, func(end *End, err error) {
		switch {
		case err != nil:
			w.finish(End{}, err)
		case end != nil:
			w.finish(*end, nil)
		case damage != nil:
			w.finish(End{}, about(w.id, damage))
		}
	})
}

// damaged is told that the instance is set aside. It may have ended all the same.
func (w *waiter) damaged(err error) { w.read(err) }

// ended is told of an end.
func (w *waiter) ended(e persistence.EndEffect) {
	last, err := lastEvent(e.Last)
	if err != nil {
		w.finish(End{}, about(w.id, err))
		return
	}
	end, err := endFrom(last, e.Status, e.Execution, w.core.codec)
	w.finish(end, about(w.id, err))
}

// finish answers, once.
func (w *waiter) finish(end End, err error) {
	w.mu.Lock()
	if w.finished {
		w.mu.Unlock()
		return
	}
	w.finished = true
	unwatch := w.unwatch
	w.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
	w.done(end, err)
}

// cancel gives up; done is not called afterwards, unless it is being called.
func (w *waiter) cancel() {
	w.mu.Lock()
	w.finished = true
	unwatch := w.unwatch
	w.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
}

// readEnd reads how the current incarnation of an id ended; nil if it has not. persistence.ErrNotFound: there is none.
func readEnd(r persistence.Reader, id string, codec turnstone.Codec) (*End, error) {
	head, err := mustHead(r, id)
	if err != nil || !head.Status.Terminal() {
		return nil, err
	}
	end, err := endOf(r, head, codec)
	if err != nil {
		return nil, err
	}
	return &end, nil
}
