package partition

import (
	"container/heap"
	"slices"

	"github.com/turnstone-dev/turnstone/dispatch"
)

// alarms are calls that a serving makes at a time: to repeat a request that found the journal or an instance busy, to lease
// an activity that runs, or to end a grace period. All of them share one timer of the clock.
type alarms struct {
	items     alarmHeap
	last      uint64
	withdrawn int // of the items
}

// alarm is one of these calls. cancel withdraws it.
type alarm struct {
	at    int64
	order uint64 // of two alarms at the same time, the older rings first
	ring  func()
	of    *alarms
}

func (a *alarm) cancel() {
	if a == nil || a.ring == nil {
		return
	}
	a.ring = nil
	a.of.withdrawn++
	if a.of.withdrawn > withdrawnMax && a.of.withdrawn > len(a.of.items)/2 {
		a.of.sweep()
	}
}

// withdrawnMax is how many withdrawn alarms are kept whatever the share of the others.
const withdrawnMax = 1024

// sweep drops the withdrawn alarms: those of long timeouts would otherwise stay until their time.
func (l *alarms) sweep() {
	l.items = slices.DeleteFunc(l.items, func(a *alarm) bool { return a.ring == nil })
	l.withdrawn = 0
	heap.Init(&l.items)
}

// set schedules a call of ring.
func (l *alarms) set(at int64, ring func()) *alarm {
	l.last++
	a := &alarm{at: at, order: l.last, ring: ring, of: l}
	heap.Push(&l.items, a)
	return a
}

// ring makes the calls that are due.
func (l *alarms) ring(now int64) {
	for len(l.items) > 0 && (l.items[0].at <= now || l.items[0].ring == nil) {
		a := l.pop()
		if ring := a.ring; ring != nil {
			a.ring = nil
			ring()
		}
	}
}

// pop takes the first alarm out.
func (l *alarms) pop() *alarm {
	a := heap.Pop(&l.items).(*alarm)
	if a.ring == nil {
		l.withdrawn--
	}
	return a
}

// wake returns when the next alarm is due.
func (l *alarms) wake() int64 {
	for len(l.items) > 0 && l.items[0].ring == nil {
		l.pop()
	}
	if len(l.items) == 0 {
		return dispatch.Never
	}
	return l.items[0].at
}

type alarmHeap []*alarm

func (h alarmHeap) Len() int { return len(h) }
func (h alarmHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].order < h[j].order
}
func (h alarmHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *alarmHeap) Push(x any)   { *h = append(*h, x.(*alarm)) }
func (h *alarmHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}
