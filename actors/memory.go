package actors

import (
	"sync"
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/internal/invariants"
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

// Take takes so much if it is free now and no instance waits for it.
func (b *memory) Take(bytes int64) bool {
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

// Ask calls granted, once and perhaps at once, when so much has been taken.
func (b *memory) Ask(bytes int64, granted func()) {
	b.mu.Lock()
	b.mu.queue = append(b.mu.queue, memoryAsk{bytes, granted})
	b.waiting.Add(1) // before advance looks at what is used: an instance that gives back after that sees it
	calls := b.advance()
	b.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// Back takes back what was taken.
func (b *memory) Back(bytes int64) {
	if bytes != 0 {
		b.used.Add(-bytes)
		if invariants.Enabled {
			b.verifyUsed()
		}
		b.pass()
	}
}

// pass gives what is free to the loads that wait.
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

// advance grants the oldest requests what is free. The caller holds b.mu, and calls what is returned after it unlocks.
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
	if invariants.Enabled {
		b.verify()
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

// end admits every load that waits for memory, and every later one.
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
