package dispatch

import (
	"math/bits"

	"github.com/turnstone-dev/turnstone/internal/invariants"
)

// verify checks the contents of the queues of a dispatcher after each Tick. It walks all of them, so it does nothing if they
// are large. It iterates maps; no result depends on their order.
func (d *Dispatcher) verify() {
	if n := d.Sizes(); n.Work+n.Timers+n.Tells+n.Held+n.Parked > verifyMax {
		return
	}
	d.ready.verify()
	d.work.verify()
	d.timers.verify()
	d.heldBack.verify()
	d.streams.verify()
}

const verifyMax = 1000

// verify checks that each item knows its place, and that none comes before the one above it.
func (h *heap[T]) verify(what string, placeOf func(T) int) {
	for i, item := range h.items {
		invariants.Check(placeOf(item) == i, "%s: item %d says that its place is %d", what, i, placeOf(item))
		invariants.Check(i == 0 || !h.less(item, h.items[(i-1)/2]), "%s: item %d comes before the one above it", what, i)
	}
}

func (t *readyQueue) verify() {
	at := func(x *tell) int { return x.at }
	t.later.verify("tells that are due later", at)
	t.resends.verify("tells that are repeated", at)
	invariants.Check(len(t.inLater) == t.later.len(), "%d tells are later, %d are indexed", t.later.len(), len(t.inLater))
	invariants.Check(len(t.unacked) == t.resends.len(), "%d tells are unacknowledged, %d are indexed", t.resends.len(), len(t.unacked))
	here := 0
	for i := range t.ready.len() {
		if x := t.ready.at(i); !x.removed {
			here++
			invariants.Check(t.inReady[x.iid] == x, "a tell of instance %d is not indexed", x.iid)
		}
	}
	invariants.Check(here == len(t.inReady), "%d tells are ready, %d are indexed", here, len(t.inReady))
	invariants.Check(t.len() <= t.max, "%d tells are held, at most %d may be", t.len(), t.max)
	for iid, x := range t.unacked {
		invariants.Check(x.iid == iid && x.number > 0 && x.number <= t.last, "instance %d was told under %d, and the last number is %d", iid, x.number, t.last)
		invariants.Check(x.unacked < x.number, "instance %d owes %d and was told under %d", iid, x.unacked, x.number)
	}
}

func (w *work) verify() {
	at := func(e *entry) int { return e.at }
	queues := []*heap[*entry]{&w.later, &w.paused, &w.unregistered, &w.exhausted, &w.orphans, &w.unserved}
	for _, r := range w.routes {
		queues = append(queues, &r.fresh, &r.suspects)
		invariants.Check(r.mask != 0 && r.mask&^w.consumers.present == 0, "a route has the consumers %b of %b", r.mask, w.consumers.present)
	}
	w.deadlines.verify("deadlines", func(e *entry) int { return e.deadlineAt - 1 })
	waits := 0
	for _, h := range queues {
		h.verify("activities", at)
		waits += h.len()
	}
	invariants.Check(bits.OnesCount64(w.consumers.present) <= ConsumersMax+1, "too many consumers are attached")
	busy, settles, bytes := 0, 0, 0
	for key, e := range w.entries {
		bytes += len(e.item.Input)
		if e.state != waiting {
			busy++
		}
		if e.state == settling {
			settles++
		}
		invariants.Check(e.item.Key == key, "activity %v is held as %v", e.item.Key, key)
		invariants.Check(e.deadlineAt == 0 || e.state == waiting, "activity %v is in state %d, and its deadline is watched", key, e.state)
		invariants.Check((e.state == waiting) == (e.queue != nil), "activity %v is in state %d, and in a heap: %t", key, e.state, e.queue != nil)
	}
	invariants.Check(busy == w.busy && settles == w.settling, "%d are busy, %d are settling; counted are %d and %d", busy, settles, w.busy, w.settling)
	invariants.Check(settles <= settlingMax, "%d are settling, at most %d may be", settles, settlingMax)
	invariants.Check(waits == len(w.entries)-busy, "%d activities are in heaps, %d wait", waits, len(w.entries)-busy)
	invariants.Check(bytes == w.inputBytes, "inputs of %d bytes are held, %d are counted", bytes, w.inputBytes)
}

func (t *timers) verify() {
	at := func(x *timer) int { return x.at }
	t.pending.verify("timers that are pending", at)
	t.sent.verify("timers that are sent", at)
	invariants.Check(len(t.table) == t.pending.len()+t.sent.len(), "%d timers are known, %d pending, %d sent", len(t.table), t.pending.len(), t.sent.len())
	for _, x := range t.pending.items {
		invariants.Check(!x.isSent && t.table[x.item.Key] == x, "timer %v is pending, sent %t", x.item.Key, x.isSent)
	}
	for _, x := range t.sent.items {
		invariants.Check(x.isSent && t.table[x.item.Key] == x, "timer %v is sent, sent %t", x.item.Key, x.isSent)
	}
}

func (h *heldSet) verify() {
	parked := 0
	for iid, items := range h.parked {
		parked += len(items)
		_, held := h.marks[iid]
		invariants.Check(held && len(items) > 0, "%d timers of instance %d are parked, held %t", len(items), iid, held)
	}
	invariants.Check(parked == h.count && parked <= h.max, "%d timers are parked, %d are counted, at most %d may be", parked, h.count, h.max)
}

func (s *streams) verify() {
	for i, p := range s.pumps {
		invariants.Check(i == 0 || s.pumps[i-1].to < p.to, "the pump to %d comes behind another", p.to)
		invariants.Check(p.acked <= p.mark && p.mark <= p.written, "to %d: acknowledged %d, delivered %d, written %d", p.to, p.acked, p.mark, p.written)
	}
}
