package actors

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"
)

// memory is the one budget in bytes of all instances that are active: histories, inboxes and starts that are read or have
// been read, and the machines that are made of them, resident ones included. An instance asks before it reads, since its
// head says how much there is. One that gets nothing waits in line, and holds nothing meanwhile but its head. One that is
// alone always gets what it asks for.
//
// Nothing that holds a part of it waits for another instance's part: a turn ends or is given up, a resident leaves when it
// is told to, and what waits for its admission as a suspect gives its part back first.
type memory struct {
	max     int64 // negative: none
	used    atomic.Int64
	alone   atomic.Int64 // the last that was taken although it is larger than the whole budget
	waiting atomic.Int64
	mu      struct {
		sync.Mutex
		queue []memoryAsk
		open  bool // the engine stops: an instance that asks goes on, finds that out and leaves
	}
}

type memoryAsk struct {
	bytes   int64
	granted func()
}

// fits says whether so much more may be taken. What is larger than the whole budget is read alone.
func (b *memory) fits(used, bytes int64) bool {
	return b.max < 0 || used <= 0 || bytes <= b.max-used
}

// take takes so much if it is free now and no instance waits for it.
func (b *memory) take(bytes int64) bool {
	for b.waiting.Load() == 0 {
		used := b.used.Load()
		if !b.fits(used, bytes) {
			return false
		}
		if b.used.CompareAndSwap(used, used+bytes) {
			b.note(bytes)
			return true
		}
	}
	return false
}

// note remembers what has been taken beyond the budget.
func (b *memory) note(bytes int64) {
	if bytes > b.max {
		b.alone.Store(bytes)
	}
}

// ask calls granted, once and perhaps at once, when so much has been taken.
func (b *memory) ask(bytes int64, granted func()) {
	b.mu.Lock()
	b.mu.queue = append(b.mu.queue, memoryAsk{bytes, granted})
	b.waiting.Add(1) // before advance looks at what is used: an instance that gives back after that sees it
	calls := b.advance()
	b.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// back takes back what was taken.
func (b *memory) back(bytes int64) {
	if bytes != 0 {
		b.used.Add(-bytes)
		b.pass()
	}
}

// pass gives what is free to those who wait.
func (b *memory) pass() {
	if b.waiting.Load() == 0 {
		return
	}
	b.mu.Lock()
	calls := b.advance()
	b.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// advance takes for those in front what is free, with b.mu held, and returns what to call once it is not.
func (b *memory) advance() (calls []func()) {
	for len(b.mu.queue) > 0 {
		ask := b.mu.queue[0]
		if !b.mu.open && !b.fits(b.used.Load(), ask.bytes) {
			break
		}
		b.used.Add(ask.bytes)
		b.note(ask.bytes)
		b.waiting.Add(-1)
		b.mu.queue[0] = memoryAsk{}
		b.mu.queue = b.mu.queue[1:]
		calls = append(calls, ask.granted)
	}
	return calls
}

// short says that residents must leave: more is used than may be, or what is asked for next does not fit.
func (b *memory) short() bool {
	used := b.used.Load()
	if b.waiting.Load() == 0 {
		return b.max >= 0 && used > b.max
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mu.queue) > 0 && !b.fits(used, b.mu.queue[0].bytes)
}

// end lets everybody in, now and from now on.
func (b *memory) end() {
	b.mu.Lock()
	b.mu.open = true
	calls := b.advance()
	b.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// MemoryOver is by how much more than the budget is taken, beside a read that is larger than all of it. It is for
// simulators: before a stop it is never above 0.
func (e *Engine) MemoryOver() int64 {
	b := &e.memory
	if b.max < 0 {
		return 0
	}
	return b.used.Load() - max(b.max, b.alone.Load())
}

// readStart reads the start, if the instance has not begun, and takes what the rest of the instance needs. False: that is
// not free now, or is not wanted, and nothing but the head and the lease is in the view. Then size is what to ask for. It
// leaves out a start that has not been read: one that ends its process is read under a lease first.
func (m *loadMsg) readStart(r persistence.Reader, iid persistence.Incarnation) (more bool, err error) {
	v := &m.view
	if v.cancel == nil && (m.headOnly || !m.whole && m.granted == 0 && m.waits()) {
		v.partial, v.size = true, historyBytes(&v.head, nil)
		return false, nil
	}
	if v.head.Turn == 0 {
		start, ok, err := r.Start(iid, v.head.Execution)
		if err == nil && !ok {
			err = fmt.Errorf("%w: instance %q (%d) waits for its first turn of execution %d and has no start row",
				persistence.ErrCorrupt, v.head.ID, iid, v.head.Execution)
		}
		if err != nil {
			return false, err
		}
		v.start = &start
	}
	v.size = historyBytes(&v.head, v.start)
	switch more := v.size - m.granted; {
	case more <= 0:
		m.taken = more
		m.e.memory.back(-more)
	case m.e.memory.take(more):
		m.taken = more
	default: // its head did not tell of the start, or more has come meanwhile: it asks again, for all of it
		v.partial, v.start = true, nil
		return false, nil
	}
	return true, nil
}

// waits says that the lease row lets no turn start now, or lets it start when no other instance that is held is tried.
func (m *loadMsg) waits() bool {
	v := &m.view
	if v.held.Reason != "" {
		return !m.fresh && v.held.Build == m.e.cfg.Build
	}
	return m.e.backsOff(v.notBeforeMs)
}

// memoryMsg says that an instance may read what it waited to read.
type memoryMsg struct{ bytes int64 }

// historyBytes is what an instance takes that is read: twice what lives, since the collector lets the heap grow so far,
// and once what is garbage as soon as it is decoded.
func historyBytes(h *persistence.Head, start *persistence.PendingStart) int64 {
	bytes := int64(h.HistoryBytes + min(h.InboxBytes, bufferBytes))
	if start != nil {
		bytes += int64(len(start.Input) + len(start.Start))
	}
	return 3*bytes + 2*residentOverheadBytes
}

// headOnly says that there is no use in reading more than the head and the lease: no turn can start on what would be
// read, or in careful mode its attempt is to be counted first. A history that ends its process when it is read would
// never be found else.
func (in *instance) headOnly() bool {
	return in.abandon != nil || in.heldBack() || !in.e.anyConsumer() || in.token == "" && (in.part.carefulNow() || in.releaseSuspect != nil)
}

// stepPartial goes on with a view that has the head and the lease alone: to what lets the rest be read.
func (in *instance) stepPartial() {
	v := &in.view
	switch {
	case v.head.Turn > 0 && v.head.Inbox == 0 && len(v.due) == 0 && len(in.buffer.items) == 0 && in.doomed == nil && v.inbox.nudged < v.head.NextSeq:
		v.partial = false // there is nothing to run, so nothing to read
		in.stepReady()
	case in.heldBack():
		in.holdBack()
	case in.charge > 0:
		in.load()
	case in.token != "" || in.doomed != nil || v.attempts >= in.e.cfg.MaxAttempts:
		in.askMemory()
	case !in.findForHead():
		in.unregistered()
	case in.triesAlone():
		in.askTry()
	case in.part.carefulNow() || in.releaseSuspect != nil:
		in.stepCareful()
	default:
		in.askMemory()
	}
}

// askMemory waits until the rest of the instance may be read.
func (in *instance) askMemory() {
	in.phase = phaseWaiting
	in.outstanding++
	in.e.counts.memoryWaits.Add(1)
	m := &memoryMsg{bytes: in.view.size}
	in.awaiting = m
	in.e.memory.ask(m.bytes, func() { in.send(m) })
	in.e.residents.relieve()
}

// memoryGranted goes on with the read.
func (in *instance) memoryGranted(m *memoryMsg) {
	if in.awaiting != m || in.phase != phaseWaiting {
		in.e.memory.back(m.bytes)
		return
	}
	in.awaiting = nil
	in.phase = phaseReady
	in.charge = m.bytes
}

// uncharge gives back what the instance has taken: it has let go of what it read, or is about to.
func (in *instance) uncharge() {
	charge := in.charge
	in.charge = 0
	in.e.memory.back(charge)
}

// letGo drops what was read for a turn that does not come now.
func (in *instance) letGo() {
	in.view.segments = nil
	in.uncharge()
}

// backsOff says that a time has not come before which no turn may start.
func (e *Engine) backsOff(notBeforeMs int64) bool {
	return dispatch.BacksOff(notBeforeMs, e.now().UnixMilli(), e.cfg.BackoffMax.Milliseconds())
}
