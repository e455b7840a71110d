package actors

import (
	"sync"
	"sync/atomic"
)

// consumer is an attached Consumer: its slots for turns and for activities, shared by all partitions.
type consumer struct {
	Consumer
	e      *engine
	turns  *turnSlots
	slots  *slotPool
	closed atomic.Bool
	// givenUp are the activities whose code had not ended in time when the consumer stopped.
	givenUp atomic.Int64
}

func newConsumer(e *engine, c Consumer) *consumer {
	return &consumer{Consumer: c, e: e, turns: newTurnSlots(e, c.TurnSlots), slots: newSlotPool(c.ActivitySlots)}
}

// handles reports whether the consumer has a handler for activities of this name.
func (c *consumer) handles(name string) bool {
	_, ok := c.Handlers.Activity(name)
	return ok
}

// stop gives the consumer nothing new and tells its activities to stop. done is called when none of them runs any more,
// or the last has been given up.
func (c *consumer) stop(done func()) {
	c.closed.Store(true)
	c.turns.close()
	c.slots.close(func() {
		c.reportGivenUp()
		done()
	})
	for _, p := range c.e.parts {
		p.post("consumer stops", func() {
			if p.s != nil {
				p.s.stopActivities(c)
			}
		})
	}
}

// reportGivenUp logs once for all activities that a stop has given up. That is no leak: a process that stops ends their
// code with it.
func (c *consumer) reportGivenUp() {
	if n := c.givenUp.Load(); n > 0 {
		c.e.cfg.Logger.Warn("activities did not end when they were told to stop; they run again later", "runtime", c.ID,
			"activities", n, "waited", c.e.cfg.Drain)
	}
}

// slotPool counts a consumer's free activity slots. Partitions that found none are served in the order in which they
// asked, so no partition starves another. All methods are safe for concurrent use.
type slotPool struct {
	mu struct {
		sync.Mutex
		free    int
		inUse   int
		waiting []slotWaiter
		closed  bool
		idle    func() // called once when closed and nothing is in use
	}
}

// slotWaiter is offered a slot, which is then in use: it must be used or released.
type slotWaiter struct {
	p     *partition
	offer func()
}

func newSlotPool(slots int) *slotPool {
	s := &slotPool{}
	s.mu.free = max(slots, 0)
	return s
}

// acquire takes a free slot. If there is none, offer is called once as soon as there is, unless this partition waits
// already.
func (s *slotPool) acquire(p *partition, offer func()) bool {
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
		if w.p == p {
			return false
		}
	}
	s.mu.waiting = append(s.mu.waiting, slotWaiter{p, offer})
	return false
}

// release gives a slot back, or passes it on to whoever waits longest.
func (s *slotPool) release() {
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

// close hands out no more slots. idle is called when none is in use.
func (s *slotPool) close(idle func()) {
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
