package pebble

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// wellFormed reports whether the parts of a turn's commit are consistent with each other.
func wellFormed(c *persistence.CommitTurn) bool {
	if (c.IID == 0) == (c.AcceptedStart == nil) {
		return false
	}
	if c.Outcome < persistence.OutcomeRunning || c.Outcome > persistence.OutcomeContinued ||
		(c.Outcome == persistence.OutcomeContinued) != (c.Next != nil) {
		return false
	}
	var first, next uint64
	for i, p := range c.Segment.Parts {
		if i == 0 {
			first, next = p.FirstEvent, p.FirstEvent
		}
		if p.FirstEvent != next || p.Count == 0 && len(c.Segment.Parts) > 1 {
			return false
		}
		next += p.Count
	}
	for i := range c.Sends {
		if !c.Sends[i].Kind.OfTurn() {
			return false
		}
	}
	for i := range c.KV {
		if op := c.KV[i].Op; op < persistence.KVSet || op > persistence.KVClearAll {
			return false
		}
	}
	return ascending(first, next, len(c.Work), func(i int) uint64 { return c.Work[i].Event }) &&
		ascending(first, next, len(c.Timers), func(i int) uint64 { return c.Timers[i].Event }) &&
		ascending(first, next, len(c.Children), func(i int) uint64 { return c.Children[i].Event })
}

// ascending reports whether n events ascend and lie in [first, next).
func ascending(first, next uint64, n int, event func(int) uint64) bool {
	for i := range n {
		e := event(i)
		if e < first || e >= next || i > 0 && e <= event(i-1) {
			return false
		}
	}
	return true
}

// position returns the head of the turn's instance, and an error if the turn does not follow the stored one. The head is nil
// for a fused start.
func (m *machine) position(c *persistence.CommitTurn) (*headRow, error) {
	if c.IID == 0 {
		return nil, m.fusedPosition(c)
	}
	h := m.head(c.IID)
	if plantedPosition && h != nil && h.Execution == c.Execution && !h.Status.Terminal() {
		return h, nil
	}
	if h == nil || h.ID != c.ID || h.Status.Terminal() || h.Execution != c.Execution || h.Turn != c.Turn ||
		!startsAt(&c.Segment, h.NextEvent) || c.ConsumesStart != (c.Turn == 0) {
		return nil, &persistence.Refusal{Code: persistence.Conflict}
	}
	return h, nil
}

func (m *machine) fusedPosition(c *persistence.CommitTurn) error {
	s := c.AcceptedStart
	if s.ID != c.ID || c.Execution != 1 || c.Turn != 0 || !startsAt(&c.Segment, 1) {
		return &persistence.Refusal{Code: persistence.Conflict}
	}
	if iid := m.resolve(s.ID); iid != 0 {
		if _, known := m.remembered(s.ID, s.Request.Key); !known {
			return &persistence.Refusal{Code: persistence.AlreadyExists, IID: iid}
		}
	}
	return nil
}

func startsAt(s *persistence.SegmentDraft, event uint64) bool {
	return len(s.Parts) == 0 || s.Parts[0].FirstEvent == event
}

// partOf returns the first event of the part that has an event of the segment.
func partOf(s *persistence.SegmentDraft, event uint64) uint64 {
	for i := len(s.Parts) - 1; i > 0; i-- {
		if s.Parts[i].FirstEvent <= event {
			return s.Parts[i].FirstEvent
		}
	}
	return s.Parts[0].FirstEvent
}

// turnFence accepts the holder of the row's lease, or, if there is no live lease, a grant of the current epoch. The head is
// nil for a fused start, which has no lease.
func (m *machine) turnFence(h *headRow, token persistence.Token) error {
	if h != nil && h.Leased {
		l := m.lease(h)
		if m.tokenFits(token, l.Token, &l.Holder) {
			return nil
		}
		if m.leaseLive(l.Token, &l.Holder, l.ExpiresAtMs) {
			return &persistence.Refusal{Code: persistence.LeaseLost}
		}
	}
	if token != "" {
		return &persistence.Refusal{Code: persistence.LeaseLost}
	}
	if !m.currentEpoch(m.epoch) {
		return &persistence.Refusal{Code: persistence.Fenced}
	}
	return nil
}

// stale lists the entries that the turn consumes or accepts although they are deleted, answered, or named twice.
func (m *machine) stale(c *persistence.CommitTurn) (stale []persistence.Position) {
	note := func(part persistence.Part, i int) {
		stale = append(stale, persistence.Position{Part: part, Index: i})
	}
	m.entries = m.entries[:0]
	rising := true // ascending seqs cannot repeat, so they need no search
	for i, seq := range c.ConsumedInbox {
		rising = rising && (i == 0 || seq > c.ConsumedInbox[i-1])
		if !rising && slices.Contains(c.ConsumedInbox[:i], seq) || !m.consumable(c.IID, seq) {
			note(persistence.PartInbox, i)
		}
	}
	for i, ref := range c.ConsumedTimers {
		m.t.key = appendTimer(m.t.key[:0], m.p, persistence.TimerKey{
			FireAtMs: ref.FireAtMs, IID: c.IID, Execution: c.Execution, Event: ref.Event,
		})
		if slices.Contains(c.ConsumedTimers[:i], ref) || !m.t.has(m.t.key) {
			note(persistence.PartTimer, i)
		}
	}
	if c.AcceptedStart != nil {
		if _, known := m.remembered(c.AcceptedStart.ID, c.AcceptedStart.Request.Key); known {
			note(persistence.PartStart, 0)
		}
	}
	for i := range c.AcceptedMessages {
		key := c.AcceptedMessages[i].Request.Key
		if key == "" {
			continue
		}
		repeated := slices.ContainsFunc(c.AcceptedMessages[:i], func(a persistence.AcceptedMessage) bool {
			return a.Request.Key == key
		}) || c.AcceptedStart != nil && c.AcceptedStart.Request.Key == key
		if _, known := m.remembered(c.ID, key); known || repeated {
			note(persistence.PartEvent, i)
		}
	}
	for i := range c.AcceptedResults {
		if !m.acceptable(c, i) {
			note(persistence.PartResult, i)
		}
	}
	return stale
}

func (m *machine) acceptable(c *persistence.CommitTurn, i int) bool {
	a := &c.AcceptedResults[i]
	for j := range i {
		if b := &c.AcceptedResults[j]; b.Execution == a.Execution && b.Event == a.Event {
			return false
		}
	}
	w, ok := m.work(persistence.WorkKey{IID: c.IID, Execution: a.Execution, Event: a.Event})
	return ok && m.workFence(&w, a.Token, a.Attempts, a.Epoch) == nil
}
