package sim

import (
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// orderKey names the events that have an order: those of one name to one instance, or the messages of one queue.
type orderKey struct {
	id   string
	name arrivalName
}

// events lists, for each name of each instance, which events were recorded first, and then those that wait. An event is
// recorded again by each execution that it is carried to.
type events struct {
	client *client
	order  map[orderKey][]*eventRecord
	// letters has the last letter of each sender: execution and number.
	letters map[sentOrder][2]int
}

func (c *client) newEvents() *events {
	return &events{client: c, order: map[orderKey][]*eventRecord{}, letters: map[sentOrder][2]int{}}
}

// compareOrder checks that events keep the order in which they were sent: one that was acknowledged before another one
// was sent is recorded before it, in each execution, and waits before it in the inbox.
func (c *client) compareOrder(dumps []*persistence.Dump) {
	all, seen := c.newEvents(), map[string]bool{}
	for _, key := range c.world.disk.ledger.keys() {
		rec := c.world.disk.ledger.known[key]
		executions, err := rec.turns()
		if err != nil {
			c.world.fail("S3", "%v", err)
			return
		}
		for i := range executions {
			one := c.newEvents()
			for _, t := range executions[i].turns() {
				for _, event := range t.Events {
					name, data, ok := recordedArrival(event)
					if !ok {
						continue
					}
					one.add(rec.id, name, data, fmt.Sprint("is recorded in execution ", executions[i].number))
					if !seen[data] {
						seen[data] = true
						all.add(rec.id, name, data, "is recorded")
					}
				}
			}
		}
	}
	for _, dump := range dumps {
		for _, row := range dump.Inbox { // by seq
			message := &turnpb.Message{}
			if row.Form != persistence.ItemMessage || decode(row.Message, message) != nil {
				continue
			}
			if name, data, ok := waitingArrival(message); ok {
				if e := c.byData[data]; e != nil {
					all.add(e.id, name, data, "waits")
				} else if rec := c.world.disk.ledger.known[instanceKey{dump.Partition, row.IID}]; rec != nil {
					all.add(rec.id, name, data, "waits")
				}
			}
		}
	}
}

// add appends an event and compares it with those before it.
func (l *events) add(id string, name arrivalName, data, how string) {
	e := l.client.byData[data]
	if e == nil {
		l.letter(orderKey{id, name}, data)
		return // raised by no client that is known: compareEvents does not know it either
	}
	if id != e.id || name != e.name {
		l.client.world.fail("S2", "%s was sent to %v of %s and %s as %v of %s", data, e.name, e.id, how, name, id)
		return
	}
	key := orderKey{id, name}
	for _, before := range l.order[key] {
		if e.precedes(before) {
			l.client.world.fail("S11", "%s %s after %s in %s, and was acknowledged before that was sent; both are for %v",
				data, how, before.data, id, e.name)
			return
		}
	}
	l.order[key] = append(l.order[key], e)
}

// precedes reports whether one sender could have sent an event after the other: it knew that the first was taken.
func (e *eventRecord) precedes(other *eventRecord) bool {
	return e.acked && other.sentAt > e.ackedAt
}

// took checks what code was given by two waits of one name, one of which was over when the other began.
func (w *World) took(id, first, second string) {
	a, b := w.client.byData[first], w.client.byData[second]
	if a != nil && b != nil && b.precedes(a) {
		w.fail("S11", "a wait of %s was given %s and the next one %s, which was acknowledged before that was sent", id, first, second)
	}
}

// sequence raises events of one name, each when the one before it was acknowledged.
func (c *client) sequence(id string, name arrivalName, left int) {
	if left == 0 {
		return
	}
	e := c.event(id, name)
	e.next = func() {
		c.world.agenda.in(c.random.duration(0, 3*time.Millisecond), 0, "next of a sequence", func() { c.sequence(id, name, left-1) })
	}
	c.deliver(e, 0)
}
