package actors

import (
	"sync"

	"github.com/turnstone-dev/turnstone/persistence"
)

// acknowledgement is what an instance says of what it was told, up to a number: that it has been dealt with, or why it is
// left.
type acknowledgement struct {
	iid    persistence.Incarnation
	number uint64
	// wait: the instance is at work; ask again later. until: it is to be told again at this time, in milliseconds since
	// the Unix epoch. unserved: it is to be told again when a consumer is attached.
	wait     bool
	until    int64
	unserved bool
	// lost: the instance knows nothing of what it was told under this number, or of this timer.
	lost bool
	// held: the instance is held, until then (0: until it is told that it may be tried), and has forgotten these timers.
	held   bool
	timers []persistence.TimerKey
}

// acknowledgements takes them to the partition's actor. They wait there for its next step: no message is sent for one,
// unless it brings a time.
type acknowledgements struct {
	mu    sync.Mutex
	items []acknowledgement
	spare []acknowledgement
}

// acknowledge may be called from any goroutine.
func (p *partition) acknowledge(a acknowledgement) {
	b := &p.acks
	b.mu.Lock()
	b.items = append(b.items, a)
	b.mu.Unlock()
	if a.until > 0 || a.held {
		p.post("acknowledged", func() {})
	}
}

// take returns what has come, in order. The slice is valid until the next call.
func (b *acknowledgements) take() []acknowledgement {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := b.items
	b.items, b.spare = b.spare[:0], items
	return items
}

// acknowledged hands them to the dispatcher.
func (s *serving) acknowledged() {
	now := s.now()
	for _, a := range s.p.acks.take() {
		switch {
		case a.wait:
			s.d.Waits(now, a.iid)
		case a.lost && len(a.timers) > 0:
			if id, lost := s.d.LostTimer(a.timers[0]); lost {
				s.e.countLost(id)
			}
		case a.lost:
			if id, lost := s.d.Lost(a.iid, a.number); lost {
				s.e.countLost(id)
			}
		case a.held:
			s.d.LeftHeld(now, a.iid, a.number, a.until, a.timers)
		case a.unserved && !plantedUnserved:
			s.d.Unserved(a.iid, a.number)
		default:
			s.d.Acknowledged(now, a.iid, a.number, a.until)
		}
	}
}
