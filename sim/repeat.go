package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// repeatLater sends an event that was acknowledged once more, now and then: as it was, or another request under its key.
// Keys are remembered for a day, so a clock that steps by years ends that.
func (c *client) repeatLater(e *eventRecord) {
	w := c.world
	if !w.faults.repeats || w.healing || w.faults.clockSteps || e.key == "" || !c.random.chance(3) {
		return
	}
	other := c.random.below(3)
	w.agenda.in(c.random.duration(0, 5*time.Second), 0, "repeat", func() { c.repeat(e, other) })
}

// repeat sends the event (0), an event with other data (1), or a cancel (2) under the event's key.
func (c *client) repeat(e *eventRecord, other int) {
	w := c.world
	r, p := c.call(func() {})
	if p == nil {
		return
	}
	message := e.name.message(e.data)
	switch other {
	case 1:
		c.number++
		never := &eventRecord{id: e.id, name: e.name, data: fmt.Sprintf("never-%d", c.number), never: true}
		c.events = append(c.events, never)
		message = e.name.message(never.data)
	case 2:
		message = &turnpb.Message{Kind: &turnpb.Message_Cancel{Cancel: &turnpb.CancelInstance{Reason: "under another's key"}}}
	}
	w.trace.add('C', []uint64{text(e.data), uint64(other)}, func() string {
		return fmt.Sprintf("client uses the key %q of %s again, variant %d", e.key, e.data, other)
	})
	p.engine.Deliver(arrival.Delivery{ID: e.id, Message: message, RequestKey: e.key}, func(err error) {
		if c.answered(r, "repeat of "+e.data) {
			c.repeated(e, other, err)
		}
	})
}

// repeated checks the answer: that of the first request, or a refusal of another one.
func (c *client) repeated(e *eventRecord, other int, err error) {
	switch {
	case errors.Is(err, persistence.ErrBusy), errors.Is(err, persistence.ErrNotLeader), errors.Is(err, persistence.ErrStopped),
		errors.Is(err, persistence.ErrUncertain):
	case other == 0 && err == nil:
		c.world.reach("request repeated")
	case other != 0 && errors.Is(err, persistence.ErrKeyReused):
		c.world.reach("request key reused")
	default:
		c.world.fail("answers", "the key of %s, used again for variant %d, is answered with %v", e.data, other, err)
	}
}
