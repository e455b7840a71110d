package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// client stands for all callers of the node: it starts instances, raises events, cancels, reads and waits, repeats
// what failed, and remembers what it was told.
type client struct {
	world  *World
	random *random
	open   []*request
	starts []*startRecord
	byID   map[string]*startRecord
	events []*eventRecord
	byData map[string]*eventRecord
	seen   map[string]observation
	waits  []*wait
	number int
}

// request is one call that has not been answered. If its process dies, the caller sees a broken connection.
type request struct {
	process *process
	lost    func()
	closed  bool
}

// startRecord is an instance that the client wants.
type startRecord struct {
	id        string
	program   *Program
	input     []byte
	key       string
	asked     bool
	askedAtMs int64
	acked     bool // the start was acknowledged
	taken     bool // the client was told that the id exists
	uncertain bool // some try had no answer that says what happened
	late      bool // its handler is registered later
	contended bool // an orchestration starts it as well
	firstOK   bool // its first request was acknowledged
	second    error
}

// eventRecord is one event that the client raised, or one message of a queue. Its data is its own.
type eventRecord struct {
	id        string
	name      arrivalName
	data      string
	key       string
	acked     bool
	uncertain bool
	refused   bool
	never     bool // its key was another's: it must not be recorded
	// sentAt and ackedAt are the steps at which it was sent first, and acknowledged.
	sentAt, ackedAt uint64
	// sentOffset is by how much the wall clock had been set when it was sent first.
	sentOffset time.Duration
	firstOK    bool   // its first request was acknowledged
	second     error  // how a second request at the same time was refused
	next       func() // what its sender does when it is acknowledged
}

// observation is the newest state of an instance that the client was shown.
type observation struct {
	execution, turn uint64
	status          persistence.Status
}

func newClient(w *World) *client {
	return &client{
		world: w, random: newRandom(w.seed, 4), byID: map[string]*startRecord{},
		byData: map[string]*eventRecord{}, seen: map[string]observation{},
	}
}

// plan puts everything that the client will do into the agenda.
func (c *client) plan() {
	w := c.world
	programs := newGenerator(newRandom(w.seed, 5), w.faults.killers)
	for n := range w.config.instances {
		s := &startRecord{id: fmt.Sprint("i", n)}
		s.program = programs.program(s.id)
		programs.life(s.program)
		s.input = s.program.encode()
		s.late = c.random.chance(12)
		if !c.random.chance(3) {
			s.key = fmt.Sprint("start-", n)
		}
		c.starts = append(c.starts, s)
		c.byID[s.id] = s
		w.agenda.in(c.random.duration(0, w.config.busyFor), 0, "start", func() { c.start(s) })
		for range c.random.below(6) {
			c.later(func() { c.raise(s.id) })
		}
		if c.random.chance(3) {
			name, n := c.arrivalName(), c.random.between(2, 12)
			c.later(func() { c.sequence(s.id, name, n) })
		}
		if c.random.chance(5) {
			c.later(func() { c.cancel(s.id) })
		}
		for range c.random.between(1, 4) {
			c.later(func() { c.read(s.id) })
		}
		c.later(func() { c.wait(s.id) })
		c.queries(s.id, 6)
		c.operate(s.id)
	}
	if w.config.flood {
		target := c.starts[c.random.below(len(c.starts))]
		c.later(func() { c.flood(target.id) })
	}
}

// contend starts what an orchestration is about to start: one of the two starts is refused.
func (c *client) contend(sends []persistence.Send) {
	w := c.world
	if !w.faults.contention || w.healing {
		return
	}
	for i := range sends {
		send := &sends[i]
		start := send.Kind == persistence.SendStartChild || send.Kind == persistence.SendStartDetached
		if !start || c.byID[send.To] != nil || !c.random.chance(3) {
			continue
		}
		s := &startRecord{id: send.To, input: send.Input, late: c.random.chance(3), contended: true}
		c.starts = append(c.starts, s)
		c.byID[s.id] = s
		w.agenda.in(c.random.duration(0, 2*w.config.slowestSync+2*w.config.slowestRead), 0, "contention", func() { c.start(s) })
	}
}

func (c *client) later(f func()) {
	c.world.agenda.in(c.random.duration(0, c.world.config.busyFor+5*time.Second), 0, "client", f)
}

// call makes a request to a process that takes them. send gets the request and must report to answered, once; lost is
// called instead if the process dies first. False: there is no such process now.
func (c *client) call(lost func()) (*request, *process) {
	p := c.process()
	if p == nil {
		return nil, nil
	}
	return c.callTo(p, lost), p
}

// process draws a process that takes requests; nil: there is none now.
func (c *client) process() *process {
	var open []*process
	for _, p := range c.world.live {
		if !p.dead {
			open = append(open, p)
		}
	}
	if len(open) == 0 {
		return nil
	}
	return open[c.random.below(len(open))]
}

// callTo makes a request to a process.
func (c *client) callTo(p *process, lost func()) *request {
	r := &request{process: p, lost: lost}
	c.open = append(c.open, r)
	return r
}

// answered closes a request; false if it was closed before, which a process must never do.
func (c *client) answered(r *request, what string) bool {
	if r.closed {
		c.world.fail("answers", "%s was answered twice", what)
		return false
	}
	r.closed = true
	for i, o := range c.open {
		if o == r {
			c.open = append(c.open[:i], c.open[i+1:]...)
			break
		}
	}
	return true
}

// lost breaks the connections to a process.
func (c *client) lost(p *process) {
	var mine []*request
	kept := c.open[:0]
	for _, r := range c.open {
		if r.process == p {
			mine = append(mine, r)
		} else {
			kept = append(kept, r)
		}
	}
	c.open = kept
	for _, r := range mine {
		r.closed = true
		r.lost()
	}
}

func (c *client) again(f func()) {
	c.world.agenda.in(c.random.duration(time.Millisecond, 2*time.Second), 0, "client again", f)
}

// start asks for an instance until the answer says what is the case.
func (c *client) start(s *startRecord) {
	if s.acked || s.taken {
		return
	}
	retry := func() { c.start(s) }
	r, p := c.call(func() { s.uncertain = true; c.again(retry) })
	if p == nil {
		c.again(retry)
		return
	}
	if s.uncertain && s.key != "" {
		c.world.reach("uncertain proposal repeated")
	}
	first, name := !s.asked, s.handler()
	if first {
		s.askedAtMs = c.world.wallMs()
	}
	s.asked = true
	c.world.trace.add('C', []uint64{text(s.id)}, func() string { return fmt.Sprintf("client starts %s: %s", s.id, s.input) })
	p.engine.StartInstance(s.request(name, s.input),
		func(reply arrival.StartReply) {
			if !c.answered(r, "the start of "+s.id) {
				return
			}
			c.world.trace.add('c', []uint64{text(s.id), codeOf(reply.Err)}, func() string {
				return fmt.Sprintf("start of %s: %v (repeated: %v)", s.id, reply.Err, reply.Repeated)
			})
			s.firstOK = first && reply.Err == nil
			c.started(s, reply, retry)
			c.agreeOnStart(s)
		})
	if first && c.twice(s.key) && !p.dead {
		c.startTwice(p, s, name)
	}
}

// request is the start of an instance.
func (s *startRecord) request(name string, input []byte) arrival.StartRequest {
	q := arrival.StartRequest{ID: s.id, Name: name, Input: input, RequestKey: s.key}
	if s.program != nil {
		q.DelayMs, q.ExecutionTimeoutMs = int64(s.program.Delay), int64(s.program.Life)
	}
	return q
}

func (c *client) started(s *startRecord, reply arrival.StartReply, retry func()) {
	switch {
	case reply.Err == nil:
		s.acked = true
		c.repeatStartLater(s)
		if !reply.Repeated && !c.world.durable(s.id) {
			c.world.fail("S6", "the start of %s was acknowledged before it was durable", s.id)
		}
	case errors.Is(reply.Err, persistence.ErrAlreadyExists):
		s.taken = true
		if s.key == "" || s.uncertain {
			return
		}
		if !c.world.durable(s.id) {
			c.world.fail("S6", "%s was said to exist and is not durable", s.id)
		}
	case errors.Is(reply.Err, persistence.ErrUncertain):
		s.uncertain = true
		c.world.reach("uncertain proposal")
		c.again(retry)
	case errors.Is(reply.Err, persistence.ErrBusy), errors.Is(reply.Err, persistence.ErrNotLeader),
		errors.Is(reply.Err, persistence.ErrStopped):
		c.again(retry)
	default:
		c.world.fail("answers", "the start of %s ended with an unknown error: %v", s.id, reply.Err)
	}
}

// raise raises a new event for an instance, or puts a message into a queue of it.
func (c *client) raise(id string) { c.raiseNamed(id, c.arrivalName()) }

func (c *client) raiseNamed(id string, name arrivalName) { c.deliver(c.event(id, name), 0) }

// event makes a new event.
func (c *client) event(id string, name arrivalName) *eventRecord {
	c.number++
	e := &eventRecord{id: id, name: name, data: fmt.Sprintf("data-%d", c.number)}
	if c.random.chance(2) {
		e.key = fmt.Sprint("event-", c.number)
	}
	c.events = append(c.events, e)
	c.byData[e.data] = e
	return e
}

// keyLife is how long a request key is remembered.
const keyLife = 24 * time.Hour

// deliver brings an event until the answer says what is the case. Without a request key it is never repeated after an
// uncertain end: it might arrive twice.
func (c *client) deliver(e *eventRecord, tries int) {
	if tries == 0 && e.sentAt == 0 && c.twice(e.key) {
		if p := c.process(); p != nil {
			c.deliverTo(p, e)
			return
		}
	}
	c.send(nil, e, tries)
}

// deliverTo brings a new event to a process twice at once.
func (c *client) deliverTo(p *process, e *eventRecord) {
	c.send(p, e, 0)
	if !p.dead {
		c.raiseTwice(p, e)
	}
}

// send brings an event to a process; nil is any.
func (c *client) send(to *process, e *eventRecord, tries int) {
	exists := c.world.durable(e.id)
	retry := func() {
		if !e.uncertain || c.world.clockOffset-e.sentOffset < keyLife { // else the key may have been forgotten
			c.deliver(e, tries+1)
		}
	}
	uncertain := func() {
		e.uncertain = true
		if e.key != "" {
			c.again(retry)
		}
	}
	p := to
	if p == nil {
		p = c.process()
	}
	if p == nil {
		c.again(retry)
		return
	}
	r, first := c.callTo(p, uncertain), e.sentAt == 0
	c.world.trace.add('C', []uint64{text(e.id), text(e.data)}, func() string {
		return fmt.Sprintf("client sends %s to %s, %v, key %q", e.data, e.id, e.name, e.key)
	})
	if first {
		e.sentAt, e.sentOffset = c.world.steps, c.world.clockOffset
	}
	p.engine.Deliver(arrival.Delivery{ID: e.id, Message: e.name.message(e.data), RequestKey: e.key}, func(err error) {
		if !c.answered(r, e.data) {
			return
		}
		c.world.trace.add('c', []uint64{text(e.data), codeOf(err)}, func() string { return fmt.Sprintf("%s for %s: %v", e.data, e.id, err) })
		switch {
		case err == nil:
			e.acked, e.ackedAt, e.firstOK = true, c.world.steps, first
			c.agree(e)
			if e.next != nil {
				e.next()
			}
			c.repeatLater(e)
		case errors.Is(err, persistence.ErrNotFound):
			e.refused = true
			if exists {
				c.world.fail("S1", "%s exists and an event was refused: %v", e.id, err)
			}
		case errors.Is(err, persistence.ErrUncertain):
			uncertain()
		case errors.Is(err, persistence.ErrBusy), errors.Is(err, persistence.ErrNotLeader), errors.Is(err, persistence.ErrStopped):
			if tries < 100 {
				c.again(retry)
			}
		case errors.Is(err, persistence.ErrLimit), errors.Is(err, persistence.ErrEnded):
			e.refused = true
		default:
			c.world.fail("answers", "%s ended with an unknown error: %v", e.data, err)
		}
	})
}

// flood raises more events at once than an instance buffers.
func (c *client) flood(id string) {
	for range 1100 {
		c.raise(id)
	}
}

// cancel asks an instance to stop.
func (c *client) cancel(id string) {
	retry := func() { c.cancel(id) }
	r, p := c.call(func() { c.again(retry) })
	if p == nil {
		c.again(retry)
		return
	}
	c.world.trace.add('C', []uint64{text(id)}, func() string { return "client cancels " + id })
	message := &turnpb.Message{Kind: &turnpb.Message_Cancel{Cancel: &turnpb.CancelInstance{Reason: "the client has seen enough"}}}
	p.engine.Deliver(arrival.Delivery{ID: id, Message: message}, func(err error) {
		if c.answered(r, "cancel of "+id) && err != nil && !errors.Is(err, persistence.ErrNotFound) &&
			!errors.Is(err, persistence.ErrEnded) {
			c.again(retry)
		}
	})
}
