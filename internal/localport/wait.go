package localport

import (
	"errors"
	"sync"

	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/persistence"
)

// waiter waits for one instance: it registers for its end, then reads whether it has ended already, unless the engine
// is sure to tell it. Whichever answers first is the answer.
type waiter struct {
	port    *Port
	request api.WaitRequest
	done    func(api.End, error)

	mu       sync.Mutex
	unwatch  func()
	finished bool
}

// start registers and reads.
func (w *waiter) start() {
	unwatch, sure := w.port.engine.WatchEnd(w.request.ID, w.ended, w.damaged)
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
	view(w.port.Reader, w.request.ID, func(r persistence.Reader) (*api.End, error) {
		end, err := readEnd(r, w.request.ID)
		if w.request.ForStart && errors.Is(err, persistence.ErrNotFound) {
			return nil, nil
		}
		return end, err
	}, func(end *api.End, err error) {
		switch {
		case err != nil:
			w.finish(api.End{}, err)
		case end != nil:
			w.finish(*end, nil)
		case damage != nil:
			w.finish(api.End{}, about(w.request.ID, damage))
		}
	})
}

// damaged is told that the instance is set aside. It may have ended all the same.
func (w *waiter) damaged(err error) { w.read(err) }

// ended is told of an end.
func (w *waiter) ended(e persistence.EndEffect) {
	last, err := lastEvent(e.Last)
	if err != nil {
		w.finish(api.End{}, about(w.request.ID, err))
		return
	}
	end, err := endFrom(last, e.Status, e.Execution)
	if err != nil {
		end = api.End{}
	}
	w.finish(end, about(w.request.ID, err))
}

// finish answers, once.
func (w *waiter) finish(end api.End, err error) {
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
func readEnd(r persistence.Reader, id string) (*api.End, error) {
	head, err := mustHead(r, id)
	if err != nil || !head.Status.Terminal() {
		return nil, err
	}
	end, err := endOf(r, head)
	if err != nil {
		return nil, err
	}
	return &end, nil
}
