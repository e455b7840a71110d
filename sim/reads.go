package sim

import (
	"fmt"

	"github.com/turnstone-dev/turnstone/persistence"
)

// read looks at an instance as a client does, and checks that what it was shown before still holds.
func (c *client) read(id string) {
	r, p := c.call(func() {})
	if p == nil {
		return
	}
	before, known := c.seen[id], c.world.durable(id)
	var head persistence.Head
	var found bool
	p.port.View(p.port.PartitionOf(id), func(reader persistence.Reader) error {
		iid, ok, err := reader.Resolve(id)
		if err != nil || !ok {
			return err
		}
		head, found, err = reader.Head(iid)
		return err
	}, func(err error) {
		if !c.answered(r, "a read of "+id) || err != nil {
			return
		}
		if !found {
			if known {
				c.world.fail("S8", "%s exists and a later read did not find it", id)
			}
			return
		}
		c.world.trace.add('c', []uint64{text(id), head.Execution, head.Turn, uint64(head.Status)}, func() string {
			return fmt.Sprintf("client sees %s: %v, execution %d, turn %d", id, head.Status, head.Execution, head.Turn)
		})
		c.world.claim(func() { c.saw(id, before, observation{head.Execution, head.Turn, head.Status}) })
	})
}

// saw compares what was shown with what had been shown before the read began.
func (c *client) saw(id string, before, now observation) {
	w := c.world
	if now.execution < before.execution || now.execution == before.execution && now.turn < before.turn {
		w.fail("S8", "%s was shown at execution %d turn %d and then at execution %d turn %d",
			id, before.execution, before.turn, now.execution, now.turn)
	}
	if before.status.Terminal() && now.status != before.status {
		w.fail("S9", "%s was shown as %v and then as %v", id, before.status, now.status)
	}
	if rec := w.disk.ledger.of(id); rec == nil {
		w.fail("S6", "%s was shown before it was durable", id)
	} else if now.execution > rec.execution && now.turn > 0 || now.execution == rec.execution && now.turn > rec.turn {
		w.fail("S6", "%s was shown at execution %d turn %d, but only execution %d turn %d is durable",
			id, now.execution, now.turn, rec.execution, rec.turn)
	}
	if last := c.seen[id]; now.execution > last.execution || now.execution == last.execution && now.turn >= last.turn {
		c.seen[id] = now
	}
}

// wait waits for an instance's end by notification.
func (c *client) wait(id string) {
	p := c.world.newest()
	if p == nil {
		return
	}
	waiting := &wait{id: id, process: p}
	_, sure := p.engine.WatchEnd(id, func(end persistence.EndEffect) {
		waiting.told = true
		c.world.trace.add('c', []uint64{text(id), uint64(end.Status)}, func() string { return fmt.Sprintf("client hears that %s ended: %v", id, end.Status) })
		c.world.claim(func() {
			if rec := c.world.disk.ledger.of(id); rec == nil || rec.terminal != end.Status {
				c.world.fail("S6", "the end of %s was told before it was durable", id)
			}
		})
	}, func(err error) { c.world.fail("S9", "%s is said to be damaged: %v", id, err) })
	if sure {
		c.world.reach("wait without a read")
		c.waits = append(c.waits, waiting)
	}
}

// wait is a wait for an end that its process has promised to tell.
type wait struct {
	id      string
	process *process
	told    bool
}

// checkWaits finds waits that would last for ever, when everything has ended. What a double has ended its process does
// not know: there is one engine to a journal.
func (w *World) checkWaits() {
	for _, waiting := range w.client.waits {
		if p := waiting.process; !waiting.told && !p.dead && !p.doubled && p.twinOf == nil {
			w.fail("L1", "the end of %s was never told to one who waits for it", waiting.id)
		}
	}
}

// of finds an instance's record.
func (l *ledger) of(id string) *record {
	key, ok := l.ids[id]
	if !ok {
		return nil
	}
	return l.known[key]
}

// durable reports whether the journal has said that an instance exists.
func (w *World) durable(id string) bool { return w.disk.ledger.of(id) != nil }
