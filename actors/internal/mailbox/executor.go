package mailbox

import "sync"

// Executor runs functions later, on a goroutine that is not the caller's. The real one is elastic: parked goroutines
// with warm stacks, a new one when none is parked. The simulator's appends to a list that a seed draws from.
type Executor interface {
	// Go runs f once. It never blocks and never runs f before it returns.
	Go(f func())
}

// keepParked is the default of how many idle goroutines an executor keeps.
const keepParked = 64

// ElasticExecutor runs each function on a goroutine of its own, and reuses the goroutines: a function gets a parked one,
// whose stack has already grown, or a new one when none is parked. So a function that blocks delays no other one, and one
// that does not block needs no new stack.
type ElasticExecutor struct {
	keep int

	mu     sync.Mutex
	ended  sync.Cond
	parked []*parkedWorker // last in, first out: the warmest stack is used first
	live   int             // goroutines that have not ended, parked ones included
	closed bool
}

// parkedWorker is a goroutine that waits for its next function. The channel has room for one, so waking never blocks.
type parkedWorker struct{ next chan func() }

// NewElasticExecutor makes an executor that keeps at most keep parked goroutines; 0 or less means 64. Close it.
func NewElasticExecutor(keep int) *ElasticExecutor {
	if keep <= 0 {
		keep = keepParked
	}
	e := &ElasticExecutor{keep: keep}
	e.ended.L = &e.mu
	return e
}

// Go runs f once, on another goroutine. It never blocks. After Close it still runs f, on a goroutine that is not kept.
func (e *ElasticExecutor) Go(f func()) {
	e.mu.Lock()
	if n := len(e.parked); n > 0 {
		w := e.parked[n-1]
		e.parked[n-1] = nil
		e.parked = e.parked[:n-1]
		e.mu.Unlock()
		w.next <- f
		return
	}
	e.live++
	e.mu.Unlock()
	go e.work(f)
}

// work runs f, and then each function that wakes the goroutine. A function may end the goroutine with runtime.Goexit; then
// the deferred call corrects the count.
func (e *ElasticExecutor) work(f func()) {
	defer e.end()
	w := &parkedWorker{next: make(chan func(), 1)}
	for f != nil {
		f()
		if !e.park(w) {
			return
		}
		f = <-w.next
	}
}

// park parks the worker; false if it must end.
func (e *ElasticExecutor) park(w *parkedWorker) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || len(e.parked) >= e.keep {
		return false
	}
	e.parked = append(e.parked, w)
	return true
}

func (e *ElasticExecutor) end() {
	e.mu.Lock()
	e.live--
	e.ended.Broadcast()
	e.mu.Unlock()
}

// Release ends the parked goroutines and keeps none from now on. It does not wait for functions that run, because Go
// cannot stop a goroutine. Use it for code that may never return.
func (e *ElasticExecutor) Release() {
	e.mu.Lock()
	e.closed = true
	parked := e.parked
	e.parked = nil
	e.mu.Unlock()
	for _, w := range parked {
		w.next <- nil
	}
}

// Close ends the parked goroutines and waits until no function of this executor runs. A function must not call it.
func (e *ElasticExecutor) Close() {
	e.Release()
	e.mu.Lock()
	for e.live > 0 {
		e.ended.Wait()
	}
	e.mu.Unlock()
}

// Running returns how many goroutines the executor has, including parked ones.
func (e *ElasticExecutor) Running() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.live
}

// GoRunner runs user code on goroutines of its own. It runs the turns and activities of a real node.
type GoRunner struct{ pool *ElasticExecutor }

// NewGoRunner makes a runner that keeps at most keep parked goroutines; 0 or less means 64. Close it.
func NewGoRunner(keep int) *GoRunner { return &GoRunner{pool: NewElasticExecutor(keep)} }

// Run runs code and then done, on one goroutine. done is called also if code ends its goroutine with runtime.Goexit.
// code must recover its own panics: one that escapes ends the process, as everywhere in Go.
func (r *GoRunner) Run(code func(), done func()) {
	r.pool.Go(func() {
		finished := false
		defer func() {
			if finished {
				return
			}
			if r := recover(); r != nil {
				panic(r)
			}
			done() // also after Goexit: the goroutine is lost, but the slot must be freed
		}()
		code()
		finished = true
		done()
	})
}

// Close ends the parked goroutines. It does not wait for code that still runs: Go cannot stop it.
func (r *GoRunner) Close() { r.pool.Release() }

// Running returns how many goroutines the runner has, including parked ones.
func (r *GoRunner) Running() int { return r.pool.Running() }
