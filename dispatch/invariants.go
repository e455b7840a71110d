package dispatch

import (
	"math/bits"

	"github.com/turnstone-dev/turnstone/internal/invariants"
)

// verify checks what the queues of a dispatcher promise of their own contents, after each Tick. It walks all that is held,
// in no order that anything depends on, so a dispatcher that holds very much is left alone.
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
	t.later.verify("what instances are told later", at)
	t.byTime.verify("what instances are told again", at)
	invariants.Check(len(t.inLtr) == t.later.len(), "%d tells are later, %d are indexed", t.later.len(), len(t.inLtr))
	invariants.Check(len(t.told) == t.byTime.len(), "%d tells are told again, %d are indexed", t.byTime.len(), len(t.told))
	here := 0
	for i := range t.ready.len() {
		if x := t.ready.at(i); !x.gone {
			here++
			invariants.Check(t.inRdy[x.iid] == x, "a tell of instance %d is not indexed", x.iid)
		}
	}
	invariants.Check(here == len(t.inRdy), "%d tells are ready, %d are indexed", here, len(t.inRdy))
	invariants.Check(t.len() <= t.max, "%d tells are held, at most %d may be", t.len(), t.max)
	for iid, x := range t.told {
		invariants.Check(x.iid == iid && x.number > 0 && x.number <= t.last, "instance %d was told under %d, and the last number is %d", iid, x.number, t.last)
		invariants.Check(x.owed < x.number, "instance %d owes %d and was told under %d", iid, x.owed, x.number)
	}
}

func (w *work) verify() {
	at := func(e *entry) int { return e.at }
	homes := []*heap[*entry]{&w.later, &w.resting, &w.missing, &w.spent, &w.stray, &w.noOne}
	for _, r := range w.routes {
		homes = append(homes, &r.fresh, &r.suspects)
		invariants.Check(r.mask != 0 && r.mask&^w.consumers.present == 0, "a route has the consumers %b of %b", r.mask, w.consumers.present)
	}
	waits := 0
	for _, h := range homes {
		h.verify("activities", at)
		waits += h.len()
	}
	invariants.Check(bits.OnesCount64(w.consumers.present) <= ConsumersMax, "too many consumers are attached")
	busy, errands, bytes := 0, 0, 0
	for key, e := range w.entries {
		bytes += len(e.item.Input)
		if e.state != waiting {
			busy++
		}
		if e.state == onErrand {
			errands++
		}
		invariants.Check(e.item.Key == key, "activity %v is held as %v", e.item.Key, key)
		invariants.Check((e.state == waiting) == (e.home != nil), "activity %v is in state %d, and in a heap: %t", key, e.state, e.home != nil)
	}
	invariants.Check(busy == w.busy && errands == w.errands, "%d are busy, %d on errands; counted are %d and %d", busy, errands, w.busy, w.errands)
	invariants.Check(errands <= errandsMax, "%d are on errands, at most %d may be", errands, errandsMax)
	invariants.Check(waits == len(w.entries)-busy, "%d activities are in heaps, %d wait", waits, len(w.entries)-busy)
	invariants.Check(bytes == w.inputBytes, "inputs of %d bytes are held, %d are counted", bytes, w.inputBytes)
}

func (t *timers) verify() {
	at := func(x *timer) int { return x.at }
	t.pending.verify("timers that are pending", at)
	t.told.verify("timers that are told", at)
	invariants.Check(len(t.table) == t.pending.len()+t.told.len(), "%d timers are known, %d pending, %d told", len(t.table), t.pending.len(), t.told.len())
	for _, x := range t.pending.items {
		invariants.Check(!x.isTold && t.table[x.item.Key] == x, "timer %v is pending, told %t", x.item.Key, x.isTold)
	}
	for _, x := range t.told.items {
		invariants.Check(x.isTold && t.table[x.item.Key] == x, "timer %v is told, told %t", x.item.Key, x.isTold)
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
