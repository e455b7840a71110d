package actors

import (
	"github.com/turnstone-dev/turnstone/internal/invariants"
)

// verifyMax is how many residents are looked at; a longer list is left alone.
const verifyMax = 1000

// verify checks that an active identity is one in the table, and the other way round. The number changes under the lock
// of a shard, so all of them are taken, in order; the caller holds none.
func (a *activator) verify() {
	entries := 0
	for i := range a.shards {
		s := &a.shards[i]
		s.mu.Lock()
		defer s.mu.Unlock()
		entries += len(s.entries)
	}
	active := a.active.Load()
	invariants.Check(active == int64(entries), "%d identities are active, %d are in the table", active, entries)
	invariants.Check(a.max <= 0 || active <= a.max, "%d identities are active, the most is %d", active, a.max)
}

// verify checks what is inside. A request that is answered twice leaves twice.
func (d *admission) verify() {
	requests, bytes := d.requests.Load(), d.bytes.Load()
	invariants.Check(requests >= 0 && bytes >= 0, "%d requests with %d bytes are inside", requests, bytes)
}

// verify checks the line of those that wait for memory. The caller holds b.mu, and has called advance.
func (b *memory) verify() {
	waiting := b.waiting.Load()
	invariants.Check(waiting == int64(len(b.mu.queue)), "%d wait for memory, %d are counted", len(b.mu.queue), waiting)
	invariants.Check(!b.mu.open || len(b.mu.queue) == 0, "%d wait for memory although all are admitted", len(b.mu.queue))
}

// verifyUsed checks that no more was given back than was taken.
func (b *memory) verifyUsed() {
	used := b.used.Load()
	invariants.Check(used >= 0, "%d bytes of the memory are used", used)
}

// verify checks the list of residents: its bytes, its order, and that what it takes is counted as memory. The caller
// holds r.mu.
func (r *residency) verify() {
	used := r.e.memory.used.Load()
	invariants.Check(r.mu.bytes >= 0 && r.mu.bytes <= used, "residents take %d bytes, all instances %d", r.mu.bytes, used)
	invariants.Check(!r.mu.off || r.mu.order.Len() == 0, "%d instances are resident although none may be", r.mu.order.Len())
	if r.mu.order.Len() > verifyMax {
		return
	}
	bytes := int64(0)
	for at := r.mu.order.Front(); at != nil; at = at.Next() {
		x := at.Value.(*parked)
		bytes += x.bytes
		invariants.Check(x.element == at && x.owner == r, "a resident does not know its place")
		before := at.Prev()
		invariants.Check(before == nil || before.Value.(*parked).since <= x.since, "a resident is behind one that was used after it")
	}
	invariants.Check(bytes == r.mu.bytes, "the list of residents counts %d bytes and has %d", r.mu.bytes, bytes)
}
