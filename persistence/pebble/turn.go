package pebble

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// commitTurn makes all checks first, in the order that persistence.CommitTurn documents, and writes only if all pass: a
// refusal changes only the partition's applied index.
func (m *machine) commitTurn(c *persistence.CommitTurn) persistence.Result {
	if !wellFormed(c) {
		return refuse(persistence.Conflict)
	}
	if plantedValues {
		if h := m.head(c.IID); h != nil {
			m.touch(h)
			m.changeKV(h, c.KV)
		}
	}
	h, refusal := m.position(c)
	if refusal == nil {
		refusal = m.turnFence(h, c.Token)
	}
	if refusal != nil {
		return persistence.Result{Err: refusal}
	}
	if stale := m.stale(c); len(stale) > 0 {
		return persistence.Result{Err: &persistence.Refusal{Code: persistence.Stale, Stale: stale}}
	}
	if m.t.err != nil {
		return persistence.Result{}
	}
	if h == nil {
		s := c.AcceptedStart
		h = m.create(s.ID, s.Name, s.Version, persistence.Link{})
		m.remember(s.ID, &s.Request, h.IID, 0)
	}
	m.touch(h)
	m.noteCleanup(h, c)
	m.consume(h, c)
	m.appendSegment(h, c)
	work := m.schedule(h, c)
	m.cancel(h, c)
	if c.Status != nil {
		m.setCustomStatus(h, c.Status)
	}
	if len(c.KV) > 0 {
		m.changeKV(h, c.KV)
	}
	m.announce(h, c, work)
	m.finish(h, c)
	for i := range c.Sends {
		m.sendFrom(h, c.Execution, &c.Sends[i])
	}
	return persistence.Result{IID: h.IID, Turn: c.Turn + 1}
}

// noteCleanup takes note of how far the undo steps are. A turn that fixes the end says where its events begin.
func (m *machine) noteCleanup(h *headRow, c *persistence.CommitTurn) {
	was := h.Cleanup
	h.Cleanup = c.Cleanup
	switch event := c.Cleanup.Event; {
	case event == was.Event:
		h.Cleanup.Part = was.Part
	case event >= h.NextEvent:
		h.Cleanup.Part = h.NextEvent
	}
}

// consume removes what the turn consumed: inbox items, timers, its start, and work whose result it accepted.
func (m *machine) consume(h *headRow, c *persistence.CommitTurn) {
	m.takeInbox(h, c.ConsumedInbox)
	for _, ref := range c.ConsumedTimers {
		m.delTimer(h, timerKey(h, ref))
	}
	if c.Turn == 0 && c.IID != 0 {
		m.t.key = appendExecution(m.t.key[:0], m.p, famStart, h.IID, h.Execution)
		m.t.delBlind(m.t.key)
	}
	for i := range c.AcceptedMessages {
		m.remember(c.ID, &c.AcceptedMessages[i].Request, h.IID, 0)
	}
	for _, a := range c.AcceptedResults {
		m.delWork(h, persistence.WorkKey{IID: h.IID, Execution: a.Execution, Event: a.Event})
	}
	m.dropLease(h)
}

// appendSegment stores the turn's parts and moves the chain over them. A turn without events is one empty part: its
// header says what it consumed.
func (m *machine) appendSegment(h *headRow, c *persistence.CommitTurn) {
	h.Turn = c.Turn + 1
	h.LastTurnAtMs = m.now
	part := persistence.StoredPart{Execution: h.Execution, Turn: h.Turn, FirstEvent: h.NextEvent}
	if c.Turn == 0 {
		part.Previous = h.Previous
	}
	if len(c.Segment.Parts) == 0 {
		part.Header = c.Segment.Header
		m.putPart(h, &part)
	}
	for i, p := range c.Segment.Parts {
		part.FirstEvent, part.Count, part.Events, part.Header = p.FirstEvent, p.Count, p.Events, nil
		if i == 0 {
			part.Header = c.Segment.Header
		}
		m.putPart(h, &part)
		part.Previous = persistence.Chain{}
	}
	if c.Turn == 0 {
		h.Name, h.Version, h.Pin = c.Name, c.Version, c.Pin
	}
}

func (m *machine) putPart(h *headRow, p *persistence.StoredPart) {
	h.Chain = h.Chain.Next(p)
	p.Chain = h.Chain
	h.LastPart = p.FirstEvent
	h.NextEvent += p.Count
	h.HistoryEvents += p.Count
	h.HistoryBytes += uint64(len(p.Header) + len(p.Events))
	m.t.key = appendSegment(m.t.key[:0], m.p, h.IID, p.Execution, p.FirstEvent, p.Turn)
	encodePart(m.t.newValue(), p)
	m.t.putBlind(m.t.key, m.t.value)
}

// schedule writes the rows of what the turn scheduled, and returns its work. The events are new, so no such row exists.
func (m *machine) schedule(h *headRow, c *persistence.CommitTurn) (work []persistence.WorkItem) {
	if len(c.Work) > 0 {
		work = make([]persistence.WorkItem, len(c.Work))
	}
	for i := range c.Work {
		w := &c.Work[i]
		work[i] = persistence.WorkItem{
			ID: h.ID, Key: eventKey(h, w.Event), Name: w.Name, Order: persistence.WorkOrder(m.index, i),
			Tag: w.Tag, Session: w.Session, NotBeforeMs: w.NotBeforeMs, Part: partOf(&c.Segment, w.Event),
			Attempt: w.Attempt, FirstEvent: w.FirstEvent, Deadlines: w.Deadlines, Heartbeat: w.Heartbeat,
		}
		m.putWork(&work[i])
	}
	h.Work += uint64(len(c.Work))
	for _, ref := range c.Timers {
		m.putTimer(h, timerKey(h, ref))
	}
	h.Timers += uint64(len(c.Timers))
	for _, child := range c.Children {
		item := persistence.ChildItem{Execution: h.Execution, Event: child.Event, ID: child.ID, Policy: child.Policy}
		m.t.key = appendEvent(m.t.key[:0], m.p, famChild, eventKey(h, child.Event))
		encodeChild(m.t.newValue(), &item)
		m.t.put(m.t.key, m.t.value)
	}
	h.Children += uint64(len(c.Children))
	return work
}

// cancel removes what the turn cancelled, scheduled by this turn or before. It ignores rows that do not exist.
func (m *machine) cancel(h *headRow, c *persistence.CommitTurn) {
	for _, event := range c.CancelledWork {
		key := eventKey(h, event)
		m.t.key = appendEvent(m.t.key[:0], m.p, famWork, key)
		if m.t.has(m.t.key) {
			m.delWork(h, key)
		}
	}
	for _, ref := range c.CancelledTimers {
		key := timerKey(h, ref)
		m.t.key = appendTimer(m.t.key[:0], m.p, key)
		if m.t.has(m.t.key) {
			m.delTimer(h, key)
		}
	}
	for _, event := range c.ClosedChildren {
		m.t.key = appendEvent(m.t.key[:0], m.p, famChild, eventKey(h, event))
		if m.t.has(m.t.key) {
			m.t.del(m.t.key)
			h.Children--
		}
	}
}

// announce adds the effects of the rows that the turn scheduled and that still exist at its end.
func (m *machine) announce(h *headRow, c *persistence.CommitTurn, work []persistence.WorkItem) {
	if c.Outcome != persistence.OutcomeRunning {
		return
	}
	if len(work) > 0 {
		kept := work[:0]
		for i := range work {
			if len(c.CancelledWork) > 0 && slices.Contains(c.CancelledWork, c.Work[i].Event) {
				continue
			}
			work[i].Input, work[i].Orchestration, work[i].Version = c.Work[i].Input, h.Name, h.Version
			kept = append(kept, work[i])
		}
		if len(kept) > 0 {
			m.fx().Work = kept
		}
	}
	for _, ref := range c.Timers {
		if len(c.CancelledTimers) > 0 && slices.Contains(c.CancelledTimers, ref) {
			continue
		}
		m.fx().Timers = append(m.fx().Timers, persistence.TimerItem{ID: h.ID, Key: timerKey(h, ref)})
	}
}

// finish applies the turn's outcome.
func (m *machine) finish(h *headRow, c *persistence.CommitTurn) {
	switch c.Outcome {
	case persistence.OutcomeRunning:
		if h.Status != persistence.StatusRunning {
			m.setStatus(h, persistence.StatusRunning)
		}
	case persistence.OutcomeCompleted:
		m.end(h, c, persistence.StatusCompleted)
	case persistence.OutcomeFailed:
		m.end(h, c, persistence.StatusFailed)
	case persistence.OutcomeContinued:
		m.closeExecution(h)
		m.mergeKV(h)
		m.beginExecution(h, h.Execution+1)
		h.Name, h.Version, h.Pin = c.Next.Name, c.Next.Version, ""
		m.setStatus(h, persistence.StatusPending)
		m.putStart(&persistence.PendingStart{
			ID: h.ID, IID: h.IID, Execution: h.Execution, Name: c.Next.Name, Version: c.Next.Version,
			Start: c.Next.Start, Parent: h.Parent,
		})
	}
}

func (m *machine) end(h *headRow, c *persistence.CommitTurn, s persistence.Status) {
	m.closeExecution(h)
	m.clearInbox(h)
	h.EndedAtMs = m.now
	m.setStatus(h, s)
	end := persistence.EndEffect{ID: h.ID, IID: h.IID, Status: s, Execution: h.Execution}
	if n := len(c.Segment.Parts); n > 0 {
		end.Last = c.Segment.Parts[n-1].Events
	}
	m.fx().Ended = append(m.fx().Ended, end)
	h.ends, h.last = true, end.Last
	if h.Watchers > 0 {
		m.drain(h, false)
	}
}

// closeExecution deletes the work, timers and children that are still open. In the good case the turn has removed them all,
// the counters are 0, and no row is searched.
func (m *machine) closeExecution(h *headRow) {
	if h.Work > 0 {
		m.clear(famWork, h.IID, 0, func(key []byte) {
			_, _, r := splitKey(key)
			w := r.workKey()
			delete(m.works.rows, w)
			m.fx().WorkDeleted = append(m.fx().WorkDeleted, w)
		})
	}
	if h.Timers > 0 {
		m.clear(famTimerOf, h.IID, 0, func(key []byte) { m.delTimerRow(key) })
	}
	if h.Children > 0 {
		m.clear(famChild, h.IID, h.Children, func([]byte) {})
	}
	h.Work, h.Timers, h.Children, h.Cleanup = 0, 0, 0, persistence.Cleanup{}
}

// clear deletes all rows of an instance in a family: one by one, with a call of each, or by a range if count is large (0: one
// by one). A range is only for rows that no later command reads.
func (m *machine) clear(f family, iid persistence.Incarnation, count uint64, each func(key []byte)) {
	prefix := appendInstance(nil, m.p, f, iid)
	if count >= rangeDeletePoints && (f == famInbox || f == famTopic || f == famOrdinal) {
		m.t.fail(m.t.batch.DeleteRange(prefix, after(prefix), nil))
		return
	}
	for _, key := range m.t.keysUnder(prefix) {
		each(key)
		m.t.del(key)
	}
}
