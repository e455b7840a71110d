package consumer

import (
	"cmp"
	"context"
	"sync/atomic"
)

// Attached is a [Consumer] that is attached, with its slots, which all partitions share.
type Attached struct {
	Consumer
	Turns      *TurnSlots
	Activities *ActivitySlots
	closed     atomic.Bool
	givenUp    atomic.Int64
}

// Attach makes the slots of a consumer.
func Attach(c Consumer, turns TurnConfig) *Attached {
	c.Base = cmp.Or(c.Base, context.Background())
	return &Attached{Consumer: c, Turns: newTurnSlots(turns, c.TurnSlots), Activities: newActivitySlots(c.ActivitySlots)}
}

// Handles reports whether the consumer has a handler for activities of this name.
func (c *Attached) Handles(name string) bool {
	_, ok := c.Handlers.Activity(name)
	return ok
}

// RunsTurns reports whether the consumer has slots for turns and is not closed.
func (c *Attached) RunsTurns() bool { return c.TurnSlots > 0 && !c.closed.Load() }

// Closed reports whether the consumer is closed: it gets no new work.
func (c *Attached) Closed() bool { return c.closed.Load() }

// Close closes the consumer: it gets no new work. idle is called when none of its activity slots is in use any more.
func (c *Attached) Close(idle func()) {
	c.closed.Store(true)
	c.Turns.Close()
	c.Activities.close(idle)
}

// GiveUp counts an activity whose code had not ended in time when the consumer was closed.
func (c *Attached) GiveUp() { c.givenUp.Add(1) }

// GivenUp returns how many activities were given up since the consumer was attached.
func (c *Attached) GivenUp() int64 { return c.givenUp.Load() }
