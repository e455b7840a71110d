package instance

import (
	"sync"
	"time"

	"github.com/turnstone-dev/turnstone/internal/clock"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// arrivalState says how far a held message has come.
type arrivalState uint8

const (
	arrivalUnproposed arrivalState = iota // in memory only
	arrivalAccepting                      // proposed on its own; the result is awaited
	arrivalAccepted                       // durable in the inbox or as a pending start, and its sender has been answered
	arrivalAnswered                       // nothing more to do
)

// arrival is a message that an instance holds in memory, with the sender who waits for its answer. Exactly one of
// start, deliver and result is set.
type arrival struct {
	start   *startMsg
	deliver *deliverMsg
	result  *resultMsg

	message *turnpb.Message // as a turn consumes it; nil for a start, whose turn builds it
	size    int
	since   time.Duration // elapsed time
	state   arrivalState
	seq     uint64 // its inbox row, once accepted; 0 for a start
	// deferred: the turn that has taken it leaves it, and it is accepted on its own; proposed, once that was done.
	deferred, proposed bool
	// runs: its answer comes with a turn that an attached consumer has run.
	runs bool
}

// answer tells the sender, once.
func (a *arrival) answer(err error, repeated bool) {
	if a.state == arrivalAnswered || a.state == arrivalAccepted {
		return
	}
	a.state = arrivalAnswered
	switch {
	case a.start != nil:
		a.start.reply(StartReply{Repeated: repeated, Runs: a.runs, Err: err})
	case a.deliver != nil:
		a.deliver.reply(err)
	default:
		a.result.Reply(err)
	}
}

// newArrival wraps a counted message that brings something to hold; nil for any other.
func newArrival(msg any, now time.Duration) *arrival {
	switch m := msg.(type) {
	case *startMsg:
		return &arrival{start: m, size: len(m.req.Input) + len(m.req.ID), since: now}
	case *deliverMsg:
		return &arrival{deliver: m, message: m.message, size: len(m.encoded), since: now}
	case *resultMsg:
		return &arrival{result: m, message: m.Message, size: len(m.Encoded), since: now}
	}
	return nil
}

// What an instance holds in memory.
const (
	// BufferMessages and bufferBytes bound what waits while a turn commits.
	BufferMessages = 1000
	bufferBytes    = 4 << 20
	// AcceptAfter is how long a message may be held before it is accepted on its own.
	AcceptAfter = 10 * time.Millisecond
)

// buffer is what an instance holds and no turn has taken yet, in arrival order.
type buffer struct {
	items []*arrival
	bytes int
}

func (b *buffer) add(a *arrival) {
	b.items = append(b.items, a)
	b.bytes += a.size
}

// full says that the next message must go to the inbox.
func (b *buffer) full() bool {
	return len(b.items) >= BufferMessages || b.bytes >= bufferBytes
}

// putBack returns what a turn had taken to the front, without what has been answered meanwhile.
func (b *buffer) putBack(taken []*arrival) {
	var back []*arrival
	for _, a := range taken {
		if a.state == arrivalUnproposed || a.state == arrivalAccepting {
			a.deferred, a.proposed = false, false
			back = append(back, a)
			b.bytes += a.size
		}
	}
	b.items = append(back, b.items...)
}

// settle drops what has been accepted or answered.
func (b *buffer) settle() {
	rest := b.items[:0]
	b.bytes = 0
	for _, a := range b.items {
		if a.state == arrivalUnproposed || a.state == arrivalAccepting {
			rest = append(rest, a)
			b.bytes += a.size
		}
	}
	clear(b.items[len(rest):])
	b.items = rest
}

// oldestUnproposed returns the arrival time of the oldest message that has not been proposed, and false if there is none.
func oldestUnproposed(lists ...[]*arrival) (since time.Duration, ok bool) {
	for _, list := range lists {
		for _, a := range list {
			if a.state == arrivalUnproposed && (!ok || a.since < since) {
				since, ok = a.since, true
			}
		}
	}
	return since, ok
}

// acceptTimers is the 10 ms clock of all instances. The delay is the same for all, so the queue is in order of its
// deadlines, and one timer for its head is enough.
type acceptTimers struct {
	host *Host
	mu   struct {
		sync.Mutex
		queue []*acceptTimer
		first int // index of the head; what is before it has been served
		armed bool
		timer clock.Timer
	}
}

// acceptTimer is one instance's place in the queue. Only the queue touches it, under its lock.
type acceptTimer struct {
	in       *instance
	deadline time.Duration // elapsed time
	done     bool          // served or withdrawn
}

func newAcceptTimers(host *Host) *acceptTimers { return &acceptTimers{host: host} }

// add makes a place for an instance whose oldest message came at since. The tick that serves it counts as outstanding.
func (q *acceptTimers) add(in *instance, since time.Duration) *acceptTimer {
	h := &acceptTimer{in: in, deadline: since + AcceptAfter}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.queue = append(q.mu.queue, h)
	q.arm()
	return h
}

// withdraw takes a place back and reports whether it did: if not, the tick is on its way.
func (q *acceptTimers) withdraw(h *acceptTimer) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	was := h.done
	h.done, h.in = true, nil
	return !was
}

// arm starts the timer for the head, with q.mu held.
func (q *acceptTimers) arm() {
	m := &q.mu
	for m.first < len(m.queue) && m.queue[m.first].done {
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

// fire serves every place whose deadline has come.
func (q *acceptTimers) fire() {
	now := q.host.elapsed()
	var due []*instance
	q.mu.Lock()
	m := &q.mu
	m.armed = false
	for m.first < len(m.queue) {
		h := m.queue[m.first]
		if !h.done && h.deadline > now {
			break
		}
		if !h.done {
			h.done = true
			due = append(due, h.in)
		}
		m.queue[m.first] = nil
		m.first++
	}
	q.arm()
	q.mu.Unlock()
	for _, in := range due {
		in.send(acceptDue)
	}
}

// stop ends the timer. Nothing may be held any more.
func (q *acceptTimers) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.timer != nil {
		q.mu.timer.Stop()
	}
}

// acceptDueMsg says that an instance has held a message for 10 ms.
type acceptDueMsg struct{}

var acceptDue = &acceptDueMsg{}

// first calls one of several functions: the one that comes first, and then what follows it.
type first struct {
	once sync.Once
	then func()
}

func newFirst(then func()) *first { return &first{then: then} }

func (f *first) call(do func()) {
	f.once.Do(func() {
		do()
		f.then()
	})
}
