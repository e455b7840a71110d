package localport

import (
	"errors"
	"sync"

	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/persistence"
)

// waiter waits for one instance: it registers for the end, and then reads whether the instance has ended already, unless the
// engine is sure to report the end. The first of the two is the answer.
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
	over := w.finished // the wait was withdrawn, or the end reported, in between
	w.mu.Unlock()
	if over {
		unwatch()
		return
	}
	if !sure {
		w.read(nil)
	}
}

// read reads whether the instance has ended. If not, the answer is damage, unless that is nil.
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

// damaged takes the damage of an instance that is set aside. The instance may have ended before.
func (w *waiter) damaged(err error) { w.read(err) }

// ended takes the end of the instance.
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

// cancel withdraws the wait; afterwards done is not called, unless it is being called already.
func (w *waiter) cancel() {
	w.mu.Lock()
	w.finished = true
	unwatch := w.unwatch
	w.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
}

// readEnd reads how the current incarnation of an id ended; nil if it has not. The error is persistence.ErrNotFound if there
// is none.
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
