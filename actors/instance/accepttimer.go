package instance

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/internal/clock"
)

// acceptTimers is the 10 ms timer of all instances. The delay is the same for all, so the queue is in the order of its
// deadlines and needs only one timer, for its head.
type acceptTimers struct {
	host *Host
	mu   struct {
		sync.Mutex
		queue []*acceptTimer
		first int // index of the head; the places before it have been served or withdrawn
		armed bool
		timer clock.Timer
	}
}

// acceptTimer is one instance's place in the queue. Only the queue touches it, under its lock.
type acceptTimer struct {
	in       *instance
	deadline time.Duration // elapsed time
	done     atomic.Bool   // served or withdrawn
}

func newAcceptTimers(host *Host) *acceptTimers { return &acceptTimers{host: host} }

// add queues an instance whose oldest unproposed message came at since. The tick that serves the instance counts as
// outstanding.
func (q *acceptTimers) add(in *instance, since time.Duration) *acceptTimer {
	h := &acceptTimer{in: in, deadline: since + step.AcceptAfter}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.queue = append(q.mu.queue, h)
	q.arm()
	return h
}

// withdraw takes a place back. It returns false if the tick is on its way already.
func (q *acceptTimers) withdraw(h *acceptTimer) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	h.in = nil
	return !h.done.Swap(true)
}

// arm starts the timer for the head, with q.mu held.
func (q *acceptTimers) arm() {
	m := &q.mu
	for m.first < len(m.queue) && m.queue[m.first].done.Load() {
		m.queue[m.first] = nil
		m.first++
	}
	if m.first > 64 && m.first > len(m.queue)/2 {
		n := copy(m.queue, m.queue[m.first:])
		clear(m.queue[n:])
		m.queue, m.first = m.queue[:n], 0
	}
	if m.armed || m.first == len(m.queue) {
		return
	}
	m.armed = true
	m.timer = q.host.Config.Clock.AfterFunc(max(0, m.queue[m.first].deadline-q.host.elapsed()), q.fire)
}

// fire sends the tick to each instance whose deadline has come.
func (q *acceptTimers) fire() {
	now := q.host.elapsed()
	var due []*instance
	q.mu.Lock()
	m := &q.mu
	m.armed = false
	for m.first < len(m.queue) {
		h := m.queue[m.first]
		if !h.done.Load() && h.deadline > now {
			break
		}
		if !h.done.Swap(true) {
			due = append(due, h.in)
		}
		m.queue[m.first] = nil
		m.first++
	}
	q.arm()
	q.mu.Unlock()
	for _, in := range due {
		in.Send(step.AcceptDue)
	}
}

// stop ends the timer. No instance may be active.
func (q *acceptTimers) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.timer != nil {
		q.mu.timer.Stop()
	}
}
