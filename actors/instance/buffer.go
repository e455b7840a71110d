package instance

import (
	"time"

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
	at   int // among the unanswered; negative: it has been answered
}

// reply tells the sender.
func (a *arrival) reply(err error, repeated bool) {
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
