package consumer

import "sync"

// ActivitySlots counts a consumer's free activity slots. Callers that found none get the next ones in the order in which they
// asked, so no partition starves another. All methods are safe for concurrent use.
type ActivitySlots struct {
	mu struct {
		sync.Mutex
		free    int
		inUse   int
		waiting []slotWaiter
		closed  bool
		idle    func() // called once when closed and nothing is in use
	}
}

// slotWaiter waits for a slot. offer is called with the slot taken: it must use or release the slot.
type slotWaiter struct {
	by    any
	offer func()
}

func newActivitySlots(slots int) *ActivitySlots {
	s := &ActivitySlots{}
	s.mu.free = max(slots, 0)
	return s
}

// Acquire takes a free slot and reports whether there was one. If not, offer is called once when a slot becomes free,
// unless the same caller waits already. by identifies the caller; it is compared with ==.
func (s *ActivitySlots) Acquire(by any, offer func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return false
	}
	if s.mu.free > 0 {
		s.mu.free--
		s.mu.inUse++
		return true
	}
	for _, w := range s.mu.waiting {
		if w.by == by {
			return false
		}
	}
	s.mu.waiting = append(s.mu.waiting, slotWaiter{by, offer})
	return false
}

// Release frees a slot, or offers it to the caller that has waited longest.
func (s *ActivitySlots) Release() {
	s.mu.Lock()
	var offer, idle func()
	if len(s.mu.waiting) > 0 && !s.mu.closed {
		offer = s.mu.waiting[0].offer
		s.mu.waiting[0] = slotWaiter{}
		s.mu.waiting = s.mu.waiting[1:]
	} else {
		s.mu.free++
		s.mu.inUse--
		if s.mu.closed && s.mu.inUse == 0 {
			idle, s.mu.idle = s.mu.idle, nil
		}
	}
	s.mu.Unlock()
	if offer != nil {
		offer()
	}
	if idle != nil {
		idle()
	}
}

// close gives out no more slots. idle is called when none is in use.
func (s *ActivitySlots) close(idle func()) {
	s.mu.Lock()
	s.mu.closed = true
	s.mu.waiting = nil
	now := s.mu.inUse == 0
	if !now {
		previous := s.mu.idle
		s.mu.idle = func() {
			if previous != nil {
				previous()
			}
			idle()
		}
	}
	s.mu.Unlock()
	if now {
		idle()
	}
}
