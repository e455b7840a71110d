package partition

import (
	"container/heap"

	"github.com/turnstone-dev/turnstone/dispatch"
)

// alarms are what a serving wants to do at a time: the journal or an instance was busy, an activity has run for a
// while, a grace period ends. One timer of the clock serves them all.
type alarms struct {
	items alarmHeap
	last  uint64
}

// alarm is one of them. cancel it when it is not needed any more.
type alarm struct {
	at    int64
	order uint64 // of two at the same time, the older rings first
	ring  func()
}

func (a *alarm) cancel() {
	if a != nil {
		a.ring = nil
	}
}

// set has ring called at a time.
func (l *alarms) set(at int64, ring func()) *alarm {
	l.last++
	a := &alarm{at: at, order: l.last, ring: ring}
	heap.Push(&l.items, a)
	return a
}

// ring calls what is due.
func (l *alarms) ring(now int64) {
	for len(l.items) > 0 && (l.items[0].at <= now || l.items[0].ring == nil) {
		a := heap.Pop(&l.items).(*alarm)
		if ring := a.ring; ring != nil {
			a.ring = nil
			ring()
		}
	}
}

// wake is when the next one is due.
func (l *alarms) wake() int64 {
	for len(l.items) > 0 && l.items[0].ring == nil {
		heap.Pop(&l.items)
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
