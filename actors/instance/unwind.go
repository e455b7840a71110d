package instance

import (
	"sync"
	"time"

	"github.com/turnstone-dev/turnstone/replay"
)

// unwindFor is how long an instance waits for the deferred functions of the author's code.
const unwindFor = time.Second

// unwind closes a replay machine on a goroutine for user code. It calls done once, when the machine is closed or after
// unwindFor, and at once if the machine is closed already or is being closed.
func (h *Host) unwind(m *replay.Machine, done func()) {
	if !h.ClaimMachine(m) {
		done()
		return
	}
	once := newFirst(done)
	timer := h.Config.Clock.AfterFunc(unwindFor, func() {
		once.call(func() {
			h.Counts.LeakedCoroutines.Add(1)
			h.Config.Logger.Error("a coroutine was not unwound in time: a deferred function of an orchestration blocks; its goroutine leaks")
		})
	})
	h.Run.Run(func() { h.CloseMachine(m) }, func() { once.call(func() { timer.Stop() }) })
}

// first runs only the first of several functions: call runs do and after it then, unless another call came before.
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
