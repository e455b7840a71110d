package step

import (
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
)

// Bounds of the messages that an instance buffers.
const (
	// BufferMessages bounds the messages that are buffered while a turn commits; view.BufferBytes bounds their bytes.
	BufferMessages = 1000
	// AcceptAfter is how long a message may be buffered before it is accepted on its own, so that its sender gets an answer.
	AcceptAfter = 10 * time.Millisecond
)

// buffer has the messages that no turn has taken yet, in the order in which they arrived.
type buffer struct {
	items []*arrival.Arrival
	bytes int
}

func (b *buffer) add(a *arrival.Arrival) {
	b.items = append(b.items, a)
	b.bytes += a.Size
}

// full reports whether the buffered messages must go to the inbox to make room.
func (b *buffer) full() bool {
	return len(b.items) >= BufferMessages || b.bytes >= view.BufferBytes
}

// putBack puts the messages of a turn back in front of the others. It drops those that have been answered meanwhile.
func (b *buffer) putBack(taken []*arrival.Arrival) {
	var back []*arrival.Arrival
	for _, a := range taken {
		if a.State == arrival.Unproposed || a.State == arrival.Accepting {
			a.Deferred, a.Proposed = false, false
			back = append(back, a)
			b.bytes += a.Size
		}
	}
	b.items = append(back, b.items...)
}

// settle drops the messages that have been accepted or answered.
func (b *buffer) settle() {
	rest := b.items[:0]
	b.bytes = 0
	for _, a := range b.items {
		if a.State == arrival.Unproposed || a.State == arrival.Accepting {
			rest = append(rest, a)
			b.bytes += a.Size
		}
	}
	clear(b.items[len(rest):])
	b.items = rest
}

// oldestUnproposed returns the arrival time of the oldest message that has not been proposed, and false if there is none.
func oldestUnproposed(lists ...[]*arrival.Arrival) (since time.Duration, ok bool) {
	for _, list := range lists {
		for _, a := range list {
			if a.State == arrival.Unproposed && (!ok || a.Since < since) {
				since, ok = a.Since, true
			}
		}
	}
	return since, ok
}
