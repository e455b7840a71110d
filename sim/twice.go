package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Requests whose key another one has, as a client makes them that does not wait: while the first one is under way, to the
// same process. What a process is given first it looks at first.

// twice reports whether to draw a second request under a key.
func (c *client) twice(key string) bool {
	w := c.world
	return w.faults.repeats && !w.faults.clockSteps && !w.healing && key != "" && c.random.chance(4)
}

// raiseTwice raises an event that is under way a second time. When both are answered the answers must agree.
func (c *client) raiseTwice(p *process, e *eventRecord) {
	r := c.callTo(p, func() {})
	c.world.trace.add('C', []uint64{text(e.data), 7}, func() string { return fmt.Sprintf("client raises %s for %s at once again", e.data, e.id) })
	p.engine.Deliver(arrival.Delivery{ID: e.id, Message: e.name.message(e.data), RequestKey: e.key}, func(err error) {
		if !c.answered(r, "the second "+e.data) {
			return
		}
		c.world.trace.add('c', []uint64{text(e.data), 7, codeOf(err)}, func() string { return fmt.Sprintf("the second %s for %s: %v", e.data, e.id, err) })
		switch {
		case err == nil:
			c.world.reach("request repeated in flight")
			if !c.world.durable(e.id) {
				c.world.fail("S6", "%s for %s was acknowledged, and there is no such instance", e.data, e.id)
			}
		case errors.Is(err, persistence.ErrKeyReused):
			c.world.fail("answers", "%s for %s is refused as another request: %v", e.data, e.id, err)
		case errors.Is(err, persistence.ErrNotFound), errors.Is(err, persistence.ErrLimit), errors.Is(err, persistence.ErrEnded):
			e.second = err
		}
		c.agree(e)
	})
}

// agree compares the answers to an event that was raised twice: the second one was looked at when the first was known.
func (c *client) agree(e *eventRecord) {
	if e.firstOK && e.second != nil {
		c.world.fail("answers", "%s for %s was acknowledged, and the same request after it was answered with %v", e.data, e.id, e.second)
	}
}

// startTwice starts what is being started a second time, or raises an event beside the start, twice.
func (c *client) startTwice(p *process, s *startRecord, name string) {
	if c.random.chance(2) {
		e := c.event(s.id, c.arrivalName())
		e.key = fmt.Sprint("beside-", c.number)
		c.deliverTo(p, e)
		return
	}
	r := c.callTo(p, func() {})
	c.world.trace.add('C', []uint64{text(s.id), 7}, func() string { return fmt.Sprintf("client starts %s at once again", s.id) })
	p.engine.StartInstance(s.request(name, s.input), func(reply arrival.StartReply) {
		if !c.answered(r, "the second start of "+s.id) {
			return
		}
		switch {
		case reply.Err == nil:
			c.world.reach("start repeated in flight")
			if !c.world.durable(s.id) {
				c.world.fail("S6", "the second start of %s was acknowledged before it was durable", s.id)
			}
		case errors.Is(reply.Err, persistence.ErrAlreadyExists):
			s.second = reply.Err
		case errors.Is(reply.Err, persistence.ErrKeyReused):
			c.world.fail("answers", "the second start of %s is refused as another request: %v", s.id, reply.Err)
		}
		c.agreeOnStart(s)
	})
}

// agreeOnStart compares the answers to a start that was made twice.
func (c *client) agreeOnStart(s *startRecord) {
	if s.firstOK && s.second != nil {
		c.world.fail("answers", "the start of %s was acknowledged, and the same request after it was answered with %v", s.id, s.second)
	}
}

// repeatStartLater starts once more what was acknowledged: as it was, or with another input under the same key.
func (c *client) repeatStartLater(s *startRecord) {
	w := c.world
	if !c.twice(s.key) {
		return
	}
	other := c.random.chance(2)
	w.agenda.in(c.random.duration(0, 5*time.Second), 0, "repeat", func() { c.repeatStart(s, other) })
}

func (c *client) repeatStart(s *startRecord, other bool) {
	w := c.world
	r, p := c.call(func() {})
	if p == nil {
		return
	}
	input := s.input
	if other {
		input = (&Program{Op: "fail"}).encode()
	}
	name := s.handler()
	w.trace.add('C', []uint64{text(s.id), 8}, func() string {
		return fmt.Sprintf("client uses the key of the start of %s again, other: %v", s.id, other)
	})
	p.engine.StartInstance(s.request(name, input), func(reply arrival.StartReply) {
		if !c.answered(r, "the repeated start of "+s.id) {
			return
		}
		switch err := reply.Err; {
		case errors.Is(err, persistence.ErrBusy), errors.Is(err, persistence.ErrNotLeader), errors.Is(err, persistence.ErrStopped),
			errors.Is(err, persistence.ErrUncertain):
		case !other && err == nil && reply.Repeated:
			w.reach("start repeated")
		case other && errors.Is(err, persistence.ErrKeyReused):
			w.reach("key of a start reused")
		default:
			w.fail("answers", "the key of the start of %s, used again (other: %v), is answered with %v, repeated: %v", s.id, other, err, reply.Repeated)
		}
	})
}

// handler is the name of the orchestration that is started.
func (s *startRecord) handler() string {
	if s.late {
		return lateOrchestration
	}
	return orchestrationName
}
