package replay

import (
	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// unwind ends a parked coroutine: its deferred functions run now, on a goroutine that is thrown away afterwards,
// since a Goexit goes through iter's stop.
func (m *Machine) unwind(co *coroutine) {
	if co.done {
		return
	}
	m.retire(co)
	co.exiting = true
	co.unregister()
	if co.stop == nil {
		return // it never ran
	}
	before := m.current
	m.give(co)
	m.cfg.Unwind(co.stop)
	m.take()
	if before != nil {
		m.give(before)
	}
	if co.panicked && m.panicked == nil && m.code == codeRunning {
		m.panic(failure.Panicked(co.reason), co.stack)
	}
}

// codePanic is how and where code panicked last.
type codePanic struct {
	stack string
	why   *turnpb.Failure
}

// panic notes that a coroutine panicked: that is how the execution ends, or the undo step that runs.
func (m *Machine) panic(why *turnpb.Failure, stack string) {
	m.lastPanic = &codePanic{stack, why}
	if m.cleanup != nil {
		m.stopStep(why, nil)
		return
	}
	m.panicked = why
	m.haltPanicked()
}

// haltPanicked stops code for good where it panicked. What it was told of patches and side effects is recorded all the
// same: if the end waits for children, the code runs to the same panic on each replay, and must be told the same.
func (m *Machine) haltPanicked() {
	var told []*Future
	for _, f := range m.queue[m.head:] {
		if f.kind == opPatch || f.kind == opSideEffect {
			told = append(told, f)
		}
	}
	kept := m.mayCompensate()
	m.halt()
	if !kept {
		m.queue = told
	}
}

// release lets an exited coroutine, parked in its last defer, end.
func (m *Machine) release(co *coroutine) {
	if co.stop != nil {
		m.cfg.Unwind(co.stop)
	}
}

// defaultUnwind runs a function on a goroutine of its own and waits for it: the one place where the core starts a
// goroutine, for hosts that give none.
func defaultUnwind(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}
