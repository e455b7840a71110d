package actors

import (
	"container/list"
	"sync"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/invariants"
)

// When an idle resident leaves: at once above the bound, after a second above a quarter of it, else after a minute. So
// what is in use stays, and what only waits costs nothing.
const (
	residentPressured = time.Second
	residentRelaxed   = time.Minute
)

// residency bounds the memory of machines that wait between turns: the least recently used leave first.
type residency struct {
	e   *engine
	max int64
	mu  struct {
		sync.Mutex
		order *list.List // of *resident, least recently used first
		bytes int64
		armed bool
		timer clock.Timer
		off   bool
	}
}

// parked is an idle instance in the list, and its place there.
type parked struct {
	in    instance.Resident
	bytes int64
	since time.Duration // elapsed time
	of    *residency
	at    *list.Element // under the residency's lock; nil: it has been taken out
}

func newResidency(e *engine, maxBytes int64) *residency {
	r := &residency{e: e, max: maxBytes}
	r.mu.order = list.New()
	return r
}

// park notes an idle instance as the most recently used. charge is what it has taken of the memory so far; its place
// takes that over. False: it may not stay.
func (r *residency) park(in instance.Resident, bytes int, charge int64) (instance.Place, bool) {
	r.mu.Lock()
	if r.max < 0 || r.mu.off {
		r.mu.Unlock()
		return nil, false
	}
	x := &parked{in: in, bytes: 2 * int64(bytes+view.OverheadBytes), since: r.e.elapsed(), of: r}
	r.e.memory.used.Add(x.bytes - charge)
	x.at = r.mu.order.PushBack(x)
	r.mu.bytes += x.bytes
	evicted := r.shrink(x.since)
	r.arm()
	r.mu.Unlock()
	r.tell(evicted)
	return x, true
}

// Leave takes an instance out of the list because it has something to do, and gives it what it takes of the memory. False:
// it has been told to leave, and the message is on its way.
func (x *parked) Leave() (charge int64, ok bool) {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	if x.at == nil {
		return 0, false
	}
	x.of.remove(x.at)
	if invariants.Enabled {
		x.of.verify()
	}
	return x.bytes, true
}

// remove takes an element out, with r.mu held. What it takes of the memory is the caller's to give back.
func (r *residency) remove(at *list.Element) *parked {
	x := r.mu.order.Remove(at).(*parked)
	r.mu.bytes -= x.bytes
	x.at = nil
	return x
}

// drop takes out an element that is told to leave, with r.mu held.
func (r *residency) drop(at *list.Element) instance.Resident {
	x := r.remove(at)
	r.e.memory.used.Add(-x.bytes)
	return x.in
}

// shrink takes out the residents that must leave now. The caller holds r.mu.
func (r *residency) shrink(now time.Duration) (evicted []instance.Resident) {
	for front := r.mu.order.Front(); front != nil; front = r.mu.order.Front() {
		idle := now - front.Value.(*parked).since
		leave := r.mu.off || r.mu.bytes > r.max || r.e.memory.short() || r.mu.bytes > r.max/4 && idle >= residentPressured || idle >= residentRelaxed
		if !leave {
			break
		}
		evicted = append(evicted, r.drop(front))
	}
	if invariants.Enabled {
		r.verify()
	}
	return evicted
}

// arm starts the timer that looks for the long idle, with r.mu held.
func (r *residency) arm() {
	front := r.mu.order.Front()
	if r.mu.armed || front == nil {
		return
	}
	wait := residentRelaxed
	if r.mu.bytes > r.max/4 {
		wait = residentPressured
	}
	r.mu.armed = true
	left := wait - (r.e.elapsed() - front.Value.(*parked).since)
	r.mu.timer = r.e.cfg.Clock.AfterFunc(max(left, residentPressured/4), r.sweep)
}

func (r *residency) sweep() {
	r.mu.Lock()
	r.mu.armed = false
	evicted := r.shrink(r.e.elapsed())
	r.arm()
	r.mu.Unlock()
	r.tell(evicted)
}

// tell tells the residents that must leave. Their memory is free for the loads that wait.
func (r *residency) tell(evicted []instance.Resident) {
	r.e.memory.pass()
	for _, in := range evicted {
		r.e.counts.evictions.Add(1)
		in.Evict()
	}
}

// relieve makes residents leave for an instance that waits for memory.
func (r *residency) relieve() {
	r.mu.Lock()
	evicted := r.shrink(r.e.elapsed())
	r.mu.Unlock()
	r.tell(evicted)
}

// evictAll makes every resident leave, now and from now on.
func (r *residency) evictAll() {
	r.mu.Lock()
	r.mu.off = true
	if r.mu.timer != nil {
		r.mu.timer.Stop()
	}
	evicted := r.shrink(r.e.elapsed())
	r.mu.Unlock()
	r.tell(evicted)
}

// EvictOne tells a resident instance to leave, which comes back when there is something to do. n chooses among the
// residents. It is for simulators, which evict at any moment.
func (e *Engine) EvictOne(n uint64) {
	r := e.residents
	r.mu.Lock()
	var evicted []instance.Resident
	if count := uint64(r.mu.order.Len()); count > 0 {
		at := r.mu.order.Front()
		for range n % count {
			at = at.Next()
		}
		evicted = append(evicted, r.drop(at))
	}
	r.mu.Unlock()
	r.tell(evicted)
}

// yield makes the least recently used idle instance leave, because another needs its place among the active ones.
func (r *residency) yield() {
	r.mu.Lock()
	var evicted []instance.Resident
	if front := r.mu.order.Front(); front != nil {
		evicted = append(evicted, r.drop(front))
	}
	r.mu.Unlock()
	r.tell(evicted)
}

func (r *residency) totals() (count, bytes uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return uint64(r.mu.order.Len()), uint64(r.mu.bytes)
}
