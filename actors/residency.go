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
// instances in use stay in memory, and those that only wait leave.
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
	in      instance.Resident
	bytes   int64
	since   time.Duration // elapsed time
	owner   *residency
	element *list.Element // under the residency's lock; nil: it was removed
}

func newResidency(e *engine, maxBytes int64) *residency {
	r := &residency{e: e, max: maxBytes}
	r.mu.order = list.New()
	return r
}

// park adds an idle instance as the most recently used. charge is the memory that it has taken; its place in the list takes
// the charge over. park returns false if the instance may not stay.
func (r *residency) park(in instance.Resident, bytes int, charge int64) (instance.Place, bool) {
	r.mu.Lock()
	if r.max < 0 || r.mu.off {
		r.mu.Unlock()
		return nil, false
	}
	x := &parked{in: in, bytes: 2 * int64(bytes+view.OverheadBytes), since: r.e.elapsed(), owner: r}
	r.e.memory.used.Add(x.bytes - charge)
	x.element = r.mu.order.PushBack(x)
	r.mu.bytes += x.bytes
	evicted := r.shrink(x.since)
	r.arm()
	r.mu.Unlock()
	r.evict(evicted)
	return x, true
}

// Leave removes an instance from the list because it has something to do, and returns its charge of the memory. It returns
// false if the instance was evicted and the message is on its way.
func (x *parked) Leave() (charge int64, ok bool) {
	x.owner.mu.Lock()
	defer x.owner.mu.Unlock()
	if x.element == nil {
		return 0, false
	}
	x.owner.remove(x.element)
	if invariants.Enabled {
		x.owner.verify()
	}
	return x.bytes, true
}

// remove removes an element, with r.mu held. The caller must return its memory.
func (r *residency) remove(at *list.Element) *parked {
	x := r.mu.order.Remove(at).(*parked)
	r.mu.bytes -= x.bytes
	x.element = nil
	return x
}

// drop removes an element that will be evicted, and returns its memory, with r.mu held.
func (r *residency) drop(at *list.Element) instance.Resident {
	x := r.remove(at)
	r.e.memory.used.Add(-x.bytes)
	return x.in
}

// shrink removes the residents that must leave now. The caller holds r.mu.
func (r *residency) shrink(now time.Duration) (evicted []instance.Resident) {
	for front := r.mu.order.Front(); front != nil; front = r.mu.order.Front() {
		idle := now - front.Value.(*parked).since
		leave := r.mu.off || r.mu.bytes > r.max || r.e.memory.needsEviction() || r.mu.bytes > r.max/4 && idle >= residentPressured || idle >= residentRelaxed
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

// arm starts the timer for the next resident that has been idle for too long, with r.mu held.
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
	r.evict(evicted)
}

// evict sends the removed residents their eviction, and grants their memory to the requests that wait.
func (r *residency) evict(evicted []instance.Resident) {
	r.e.memory.grantWaiting()
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
	r.evict(evicted)
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
	r.evict(evicted)
}

// EvictOne evicts a resident instance; it is loaded again when it has something to do. n chooses among the residents. It is
// for simulators, which evict at any moment.
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
	r.evict(evicted)
}

// evictOldest evicts the least recently used idle instance, because another one needs room among the active instances.
func (r *residency) evictOldest() {
	r.mu.Lock()
	var evicted []instance.Resident
	if front := r.mu.order.Front(); front != nil {
		evicted = append(evicted, r.drop(front))
	}
	r.mu.Unlock()
	r.evict(evicted)
}

func (r *residency) totals() (count, bytes uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return uint64(r.mu.order.Len()), uint64(r.mu.bytes)
}
