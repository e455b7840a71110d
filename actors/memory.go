package actors

import (
	"sync"
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/internal/invariants"
)

// memory is the budget in bytes that all active instances share: for histories, inboxes and starts that they read, and for
// the machines made of these, including resident ones. An instance asks before it reads, since its head has the sizes. An
// instance whose request does not fit waits in a queue, and meanwhile has only its head in memory. If no other instance uses
// the budget, every request is granted.
//
// No instance that uses a part of the budget waits for the part of another: a turn ends or is given up, a resident leaves
// when it is evicted, and a suspect returns its part before it waits for its admission.
type memory struct {
	max       int64 // negative: none
	used      atomic.Int64
	oversized atomic.Int64 // the last granted request that is larger than the whole budget
	waiting   atomic.Int64
	mu        struct {
		sync.Mutex
		queue []memoryAsk
		open  bool // the engine stops: every request is granted, and the instance finds that out and leaves
	}
}

type memoryAsk struct {
	bytes   int64
	granted func()
}

// fits reports whether a request may be granted. One that is larger than the whole budget is granted while nothing is used.
func (b *memory) fits(used, bytes int64) bool {
	return b.max < 0 || used <= 0 || bytes <= b.max-used
}

// Take takes bytes from the budget if they are free now and no instance waits.
func (b *memory) Take(bytes int64) bool {
	for b.waiting.Load() == 0 {
		used := b.used.Load()
		if !b.fits(used, bytes) {
			return false
		}
		if b.used.CompareAndSwap(used, used+bytes) {
			b.noteOversized(bytes)
			return true
		}
	}
	return false
}

// noteOversized notes a granted request that is larger than the budget.
func (b *memory) noteOversized(bytes int64) {
	if bytes > b.max {
		b.oversized.Store(bytes)
	}
}

// Ask calls granted, once and perhaps within the call, when it has taken the bytes.
func (b *memory) Ask(bytes int64, granted func()) {
	b.mu.Lock()
	b.mu.queue = append(b.mu.queue, memoryAsk{bytes, granted})
	b.waiting.Add(1) // before advance reads used: an instance that returns memory after that sees that one waits
	calls := b.advance()
	b.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// Back returns bytes to the budget.
func (b *memory) Back(bytes int64) {
	if bytes != 0 {
		b.used.Add(-bytes)
		if invariants.Enabled {
			b.verifyUsed()
		}
		b.grantWaiting()
	}
}

// grantWaiting grants the requests that wait, as far as they fit.
func (b *memory) grantWaiting() {
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

// advance grants the oldest requests, as far as they fit. The caller holds b.mu; it makes the returned calls after it
// unlocks.
func (b *memory) advance() (calls []func()) {
	for len(b.mu.queue) > 0 {
		ask := b.mu.queue[0]
		if !b.mu.open && !b.fits(b.used.Load(), ask.bytes) {
			break
		}
		b.used.Add(ask.bytes)
		b.noteOversized(ask.bytes)
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

// needsEviction reports whether residents must leave: the budget is exceeded, or the next request does not fit.
func (b *memory) needsEviction() bool {
	used := b.used.Load()
	if b.waiting.Load() == 0 {
		return b.max >= 0 && used > b.max
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mu.queue) > 0 && !b.fits(used, b.mu.queue[0].bytes)
}

// end grants all requests, those that wait and all later ones.
func (b *memory) end() {
	b.mu.Lock()
	b.mu.open = true
	calls := b.advance()
	b.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// MemoryOver returns by how much the budget is exceeded. A request that is larger than the budget does not count. It is for
// simulators: before a stop it is never above 0.
func (e *Engine) MemoryOver() int64 {
	b := &e.memory
	if b.max < 0 {
		return 0
	}
	return b.used.Load() - max(b.max, b.oversized.Load())
}
