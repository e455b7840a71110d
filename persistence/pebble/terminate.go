package pebble

import "github.com/turnstone-dev/turnstone/persistence"

// terminate commits a last turn of an instance, without a lease and without a grant. The turn consumes nothing: the end
// deletes all that is left.
func (m *machine) terminate(c *persistence.Terminate) persistence.Result {
	if first, known, refusal := m.repeated(c.ID, &c.Request); refusal != nil {
		return persistence.Result{Err: refusal}
	} else if known {
		return persistence.Result{IID: first.IID, Repeated: true}
	}
	turn := &persistence.CommitTurn{
		ID: c.ID, IID: c.IID, Execution: c.Execution, Turn: c.Turn, ConsumesStart: c.Turn == 0, Segment: c.Segment,
		Sends: c.Sends, Outcome: persistence.OutcomeFailed, Name: c.Name, Version: c.Version, Pin: c.Pin,
	}
	h := m.head(c.IID)
	switch {
	case h == nil || h.ID != c.ID:
		return refuse(persistence.NotFound)
	case h.Status.Terminal():
		return persistence.Result{Err: &persistence.Refusal{Code: persistence.Ended, IID: h.IID}}
	case !wellFormed(turn) || h.Execution != c.Execution || h.Turn != c.Turn || !startsAt(&c.Segment, h.NextEvent):
		return refuse(persistence.Conflict)
	}
	m.touch(h)
	m.consume(h, turn)
	m.appendSegment(h, turn)
	m.finish(h, turn)
	for i := range c.Sends {
		m.sendFrom(h, c.Execution, &c.Sends[i])
	}
	m.remember(c.ID, &c.Request, h.IID, 0)
	return persistence.Result{IID: h.IID, Turn: c.Turn + 1}
}
