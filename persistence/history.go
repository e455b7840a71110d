package persistence

import "fmt"

// HistoryCheck finds what is missing in the history of one execution. It is given the parts in their order, from the first
// on, and then the head. The zero value is ready.
//
// It reads no events and hashes nothing: [Journal] checks bytes, and verify walks the chain. It compares what each part
// says of its place, which costs nothing beside the read. Its errors wrap [ErrCorrupt] and name turn and event.
type HistoryCheck struct {
	turn, events, bytes uint64
	last                uint64 // the first event of the last part
	chain               Chain
}

// HistoryPlace is where a check stands between two parts: behind so many turns, events and bytes. The zero value is the
// start of an execution.
type HistoryPlace struct{ Turn, Events, Bytes uint64 }

// ResumeHistory goes on with a check whose earlier parts have passed. At least one part must follow before End.
func ResumeHistory(at HistoryPlace) HistoryCheck {
	return HistoryCheck{turn: at.Turn, events: at.Events, bytes: at.Bytes}
}

// Place is where the check stands.
func (c *HistoryCheck) Place() HistoryPlace { return HistoryPlace{c.turn, c.events, c.bytes} }

// Part takes the next part.
func (c *HistoryCheck) Part(p *StoredPart) error {
	if p.FirstEvent != c.events+1 {
		return fmt.Errorf("%w: turn %d begins at event %d, and the turns before it end at event %d: what lies between is missing",
			ErrCorrupt, p.Turn, p.FirstEvent, c.events)
	}
	begins := p.Turn == c.turn+1 && p.Header != nil
	if continues := p.Turn == c.turn && p.Header == nil; !begins && !continues || p.Turn == 0 {
		return fmt.Errorf("%w: at event %d turn %d stands behind turn %d", ErrCorrupt, p.FirstEvent, p.Turn, c.turn)
	}
	c.turn, c.last, c.chain = p.Turn, p.FirstEvent, p.Chain
	c.events += p.Count
	c.bytes += uint64(len(p.Header) + len(p.Events))
	return nil
}

// End compares what was read with the head, whose execution it is.
func (c *HistoryCheck) End(h *Head) error {
	switch {
	case c.turn != h.Turn || c.events+1 != h.NextEvent || c.events != h.HistoryEvents:
		return fmt.Errorf("%w: the head stands behind turn %d at event %d with %d events, and history ends with turn %d and event %d",
			ErrCorrupt, h.Turn, h.NextEvent, h.HistoryEvents, c.turn, c.events)
	case h.Turn > 0 && (c.chain != h.Chain || c.last != h.LastPart || c.bytes != h.HistoryBytes):
		return fmt.Errorf("%w: history ends with turn %d, but its last part, at event %d after %d bytes, is not that of the head, at event %d after %d bytes",
			ErrCorrupt, c.turn, c.last, c.bytes, h.LastPart, h.HistoryBytes)
	}
	return nil
}
