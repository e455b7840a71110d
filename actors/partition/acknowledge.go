package partition

import (
	"sync"

	"github.com/turnstone-dev/turnstone/dispatch"
)

// acknowledgements passes the acknowledgements of instances to the partition's actor. They wait for its next step; a message
// is sent only for one that has a time, which may be earlier than the next step.
type acknowledgements struct {
	mu    sync.Mutex
	items []dispatch.Acknowledgement
	spare []dispatch.Acknowledgement
}

// Acknowledge may be called from any goroutine.
func (p *Partition) Acknowledge(a dispatch.Acknowledgement) {
	b := &p.acks
	b.mu.Lock()
	b.items = append(b.items, a)
	b.mu.Unlock()
	if a.Until > 0 || a.Held {
		p.Post("acknowledged", func() {})
	}
}

// take returns the acknowledgements that were added, in order. The slice is valid until the next call.
func (b *acknowledgements) take() []dispatch.Acknowledgement {
	b.mu.Lock()
	defer b.mu.Unlock()
	items := b.items
	b.items, b.spare = b.spare[:0], items
	return items
}

// acknowledged passes the acknowledgements to the dispatcher.
func (s *serving) acknowledged() {
	now := s.now()
	for _, a := range s.p.acks.take() {
		switch {
		case a.Wait:
			s.d.Waits(now, a.IID)
		case a.Lost && len(a.Timers) > 0:
			if id, lost := s.d.LostTimer(a.Timers[0]); lost {
				s.host.Engine.Lost(id)
			}
		case a.Lost:
			if id, lost := s.d.Lost(a.IID, a.Number); lost {
				s.host.Engine.Lost(id)
			}
		case a.Held:
			s.d.LeftHeld(now, a.IID, a.Number, a.Until, a.Timers)
		case a.Unserved && !plantedUnserved:
			s.d.Unserved(a.IID, a.Number)
		default:
			s.d.Acknowledged(now, a.IID, a.Number, a.Until)
		}
	}
}
