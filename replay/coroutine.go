package replay

import (
	"iter"
	"runtime"

	"github.com/turnstone-dev/turnstone/internal/failure"
)

// coroutine is one thread of an orchestration's code: the handler (number 1) or a function of Context.Go. Exactly one
// of engine and coroutines runs at any moment.
type coroutine struct {
	m      *Machine
	number uint64  // creation order; the lowest ready one runs
	on     uintptr // its goroutine; 0 before it has run
	ctx    Context
	fn     func(*Context) (any, error)
	future *Future // nil for the handler
	site   *site   // where the author's code started it; nil for the handler

	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool

	first, last *Future // its unresolved futures in creation order
	waitsFor    *Future // what it is parked on, if it is one future
	waitsForAny []*Future

	queued    bool // in the ready heap
	done      bool // its function returned, panicked or was unwound
	exiting   bool // every call of the context ends it
	computing bool // it runs the function of a side effect, which must not use the context, or answers a query
	exited    bool // a Goexit ended it: the coroutine is parked in its last defer until stop
	value     any
	err       error
	returned  bool
	panicked  bool
	reason    string // the panic's text
	stack     string // where it panicked

	older, newer *coroutine // all that are not done, for Close
}

// body is what runs on the coroutine.
//
// A Goexit, the engine's or the code's own, must not reach iter's next, which would pass it on to the engine. So the
// last deferred function parks the coroutine again; a later stop, on a throw-away goroutine, lets it finish.
func (co *coroutine) body(yield func(struct{}) bool) {
	growStack()
	co.yield = yield
	co.on = goroutine()
	co.m.holder.Store(co.on)
	returned := false
	defer func() {
		co.unlock()
		if !returned {
			co.exited = true
			yield(struct{}{})
		}
	}()
	co.run()
	returned = true
}

// growStack makes the stack as large as any code needs, now, while there is next to nothing on it to be moved. Left to
// itself it would grow in the middle of the author's code, at several times the cost.
//
//go:noinline
func growStack() {
	var room [1600]byte
	touch(&room)
}

//go:noinline
func touch(room *[1600]byte) { room[0] = 1 }

// run calls the function and catches its panic.
func (co *coroutine) run() {
	defer func() {
		if r := recover(); r != nil {
			co.panicked, co.reason, co.stack = true, panicText(r), stackText()
		}
	}()
	co.value, co.err = co.fn(&co.ctx)
	co.returned = true
}

// block gives control back to the engine until the coroutine is made ready.
func (co *coroutine) block() {
	co.unlock()
	if !co.yield(struct{}{}) || co.exiting {
		co.exit()
	}
}

// exit ends the running coroutine: deferred functions run, and calls of the context in them end here again.
func (co *coroutine) exit() {
	co.exiting = true
	runtime.Goexit()
}

// unregister takes back what a parked coroutine waits for.
func (co *coroutine) unregister() {
	if co.waitsFor != nil {
		co.waitsFor.unwait(co)
		co.waitsFor = nil
	}
	for _, f := range co.waitsForAny {
		f.unwait(co)
	}
	co.waitsForAny = nil
}

// spawn makes a coroutine and queues it. It does not run before the one that runs blocks.
func (m *Machine) spawn(fn func(*Context) (any, error), f *Future) *coroutine {
	m.coroutines++
	co := &coroutine{m: m, number: m.coroutines, fn: fn, future: f}
	co.ctx = Context{m: m, co: co}
	co.older = m.newest
	if m.newest != nil {
		m.newest.newer = co
	}
	m.newest = co
	m.live++
	m.ready(co)
	return co
}

// retire forgets a coroutine that is done.
func (m *Machine) retire(co *coroutine) {
	if co.done {
		return
	}
	co.done = true
	if co.newer == nil {
		m.newest = co.older
	} else {
		co.newer.older = co.older
	}
	if co.older != nil {
		co.older.newer = co.newer
	}
	co.older, co.newer = nil, nil
	m.live--
}

// poll runs ready coroutines, lowest number first, each until it blocks, until none is ready.
func (m *Machine) poll() {
	m.calls = 0
	for m.code == codeRunning {
		co := m.heap.pop()
		if plantedOrder && m.fresh && co != nil && len(m.heap) > 0 {
			later := m.heap.pop()
			m.ready(co)
			co = later
		}
		if co == nil {
			return
		}
		if co.done {
			continue
		}
		if m.stopResume() {
			continue
		}
		m.resumes++
		m.resume(co)
		if c := m.cleanup; c != nil && c.failed != nil && m.spoiled.Load() == nil {
			m.failStep()
		}
	}
}

// resume hands control to a coroutine and takes note of how it came back.
func (m *Machine) resume(co *coroutine) {
	if co.next == nil {
		co.next, co.stop = iter.Pull(co.body)
	}
	m.give(co)
	co.next()
	m.take()
	m.resumed = true
	if m.spoiled.Load() != nil {
		m.code = codeStopped
		return
	}
	if co.future != nil && (co.exited || co.panicked) {
		m.lost = append(m.lost, co.future)
	}
	switch {
	case co.exited:
		m.release(co)
		m.retire(co)
		if co.exiting {
			return // cancelled itself, or the turn failed under it: all is set
		}
		m.panic(failure.Panicked("runtime.Goexit was called by orchestration code"+
			" (for example through testing.T.FailNow)"), "")
	case co.panicked:
		m.retire(co)
		m.panic(failure.Panicked(co.reason), co.stack)
	case co.returned:
		m.retire(co)
		m.finish(co)
	default: // blocked
	}
}

// give makes a coroutine the one that runs. One that has never run says itself, first of all, where it runs.
func (m *Machine) give(co *coroutine) {
	m.current = co
	m.holder.Store(co.on)
}

// take makes the engine the one that runs.
func (m *Machine) take() {
	m.holder.Store(0)
	m.current = nil
}

// readyHeap orders ready coroutines by number.
type readyHeap []*coroutine

func (h *readyHeap) push(co *coroutine) {
	s := append(*h, co)
	i := len(s) - 1
	for i > 0 {
		up := (i - 1) / 2
		if s[up].number <= s[i].number {
			break
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
	*h = s
}

func (h *readyHeap) pop() *coroutine {
	s := *h
	n := len(s)
	if n == 0 {
		return nil
	}
	top := s[0]
	s[0], s[n-1] = s[n-1], nil
	s = s[:n-1]
	for i := 0; ; {
		least := 2*i + 1
		if least >= len(s) {
			break
		}
		if r := least + 1; r < len(s) && s[r].number < s[least].number {
			least = r
		}
		if s[i].number <= s[least].number {
			break
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
	*h = s
	top.queued = false
	return top
}

func (m *Machine) ready(co *coroutine) {
	if !co.queued && !co.done {
		co.queued = true
		m.heap.push(co)
	}
}
