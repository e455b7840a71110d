package sim

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
)

// executor is a process's Executor: what it is given waits until the schedule draws it.
type executor struct {
	world   *World
	waiting []func()
	dead    bool
}

// Go puts f on the list. A dead process runs nothing more.
func (e *executor) Go(f func()) {
	if !e.dead {
		e.waiting = append(e.waiting, f)
	}
}

// Throughput is one: a message is a step.
func (e *executor) Throughput() int { return 1 }

// runOne takes one from the list by the seed, swaps the last into its place, and runs it.
func (e *executor) runOne(r *random) {
	i, last := r.below(len(e.waiting)), len(e.waiting)-1
	f := e.waiting[i]
	e.waiting[i] = e.waiting[last]
	e.waiting[last] = nil
	e.waiting = e.waiting[:last]
	f()
}

// runner is a process's consumer.Runner: user code starts after a while, runs on a goroutine that the driver waits for, and
// its end is reported after another while. So code is never in the middle of something when the driver acts.
type runner struct {
	process *process
	what    string
	before  func() time.Duration
	after   func() time.Duration
}

var _ consumer.Runner = (*runner)(nil)

// Run has code run as a step and done called as a later one.
func (r *runner) Run(code func(), done func()) {
	w := r.process.world
	w.agenda.in(r.before(), r.process.number, r.what, func() {
		if !w.await(code) {
			w.crash("code ended the process")
			return
		}
		linger := w.linger
		w.linger = 0
		w.agenda.in(r.after()+linger, r.process.number, r.what+" done", done)
	})
}

// await runs user code on a goroutine and waits for it. False: the code killed its process.
func (w *World) await(code func()) bool {
	w.killed = false
	ended := make(chan struct{})
	w.code.Go(func() {
		defer close(ended)
		code()
	})
	<-ended
	killed := w.killed
	w.killed = false
	return !killed
}
