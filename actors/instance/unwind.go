package instance

import (
	"sync"
	"time"

	"github.com/turnstone-dev/turnstone/replay"
)

// unwindFor is how long an eviction waits for the deferred functions of the author's code.
const unwindFor = time.Second

// unwind closes a machine on a goroutine for user code, and calls done when it is closed or after a second.
func (h *Host) unwind(m *replay.Machine, done func()) {
	once := newFirst(done)
	timer := h.Config.Clock.AfterFunc(unwindFor, func() {
		once.call(func() {
			h.Counts.LeakedCoroutines.Add(1)
			h.Config.Logger.Error("a coroutine was not unwound in time: a deferred function of an orchestration blocks")
		})
	})
	h.Run.Run(func() { h.CloseMachine(m) }, func() { once.call(func() { timer.Stop() }) })
}

// first calls one of several functions: the one that comes first, and then what follows it.
type first struct {
	once sync.Once
	then func()
}

func newFirst(then func()) *first { return &first{then: then} }

func (f *first) call(do func()) {
	f.once.Do(func() {
		do()
		f.then()
	})
}
