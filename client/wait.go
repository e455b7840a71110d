package client

import (
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

// waiter waits for one instance: it registers for its end, then reads, then waits to be told, and begins again when
// what it was told of is not there to read (another incarnation had ended).
type waiter struct {
	core *Core
	id   string
	done func(End, error)

	mu       sync.Mutex
	unwatch  func()
	reading  bool
	told     bool // an end was announced since the registration
	finished bool
}

// start registers and reads. It is called again only when told and no read is on its way.
func (w *waiter) start() {
	w.mu.Lock()
	if w.finished {
		w.mu.Unlock()
		return
	}
	w.reading, w.told = true, false
	w.mu.Unlock()
	unwatch := w.core.engine.WatchEnd(w.id, w.ended)
	w.mu.Lock()
	w.unwatch = unwatch
	given := w.finished // given up in between
	w.mu.Unlock()
	if given {
		unwatch()
		return
	}
	view(&w.core.reads, w.id, func(r persistence.Reader) (*End, error) {
		return readEnd(r, w.id, w.core.codec)
	}, w.was)
}

// was takes a read's answer: nil if the instance has not ended.
func (w *waiter) was(end *End, err error) {
	w.mu.Lock()
	w.reading = false
	if w.finished {
		w.mu.Unlock()
		return
	}
	if end != nil || err != nil {
		w.finished = true
		unwatch := w.unwatch
		w.mu.Unlock()
		unwatch()
		if end == nil {
			end = &End{}
		}
		w.done(*end, err)
		return
	}
	told := w.told
	w.mu.Unlock()
	if told {
		w.start()
	}
}

// ended is told of an end.
func (w *waiter) ended() {
	w.mu.Lock()
	w.told = true
	reading := w.reading
	w.mu.Unlock()
	if !reading {
		w.start()
	}
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

// readEnd reads how the current incarnation of an id ended; nil if it has not, or does not exist.
func readEnd(r persistence.Reader, id string, codec turnstone.Codec) (*End, error) {
	head, ok, err := headOf(r, id)
	if err != nil || !ok || !head.Status.Terminal() {
		return nil, err
	}
	end, err := endOf(r, head, codec)
	if err != nil {
		return nil, err
	}
	return &end, nil
}
