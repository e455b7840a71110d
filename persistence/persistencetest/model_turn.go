package persistencetest

import (
	"slices"

	"github.com/turnstone-dev/turnstone/persistence"
)

// commitTurn checks everything first and writes only when nothing was found, so a refusal leaves no trace.
func (m *Model) commitTurn(c *persistence.CommitTurn) persistence.Result {
	fused := c.IID == 0
	head := m.heads[c.IID]
	if !wellFormed(c) || !m.inPlace(c, head) {
		return refuse(persistence.Conflict)
	}
	if fused {
		_, known := m.remembered(c.ID, c.AcceptedStart.Request.Key)
		if iid, taken := m.names[c.ID]; taken && !known {
			return persistence.Result{Err: &persistence.Refusal{Code: persistence.AlreadyExists, IID: iid}}
		}
	}
	if err := m.turnFence(m.leases[c.IID], c.Token); err != nil {
		return persistence.Result{Err: err}
	}
	if stale := m.staleEntries(c); len(stale) > 0 {
		return persistence.Result{Err: &persistence.Refusal{Code: persistence.Stale, Stale: stale}}
	}
	if fused {
		s := c.AcceptedStart
		head = m.newHead(s.ID, s.Name, s.Version, persistence.Link{})
		m.remember(s.ID, s.Request, head.IID, 0)
	}
	m.consume(head, c)
	m.appendSegment(head, c)
	m.forgetLease(head)
	if c.Turn == 0 {
		head.Name, head.Version, head.Pin = c.Name, c.Version, c.Pin
	}
	m.schedule(head, c)
	m.setState(head, c)
	m.finish(head, c)
	m.forgetDeleted()
	for _, s := range c.Sends {
		m.send(head, s)
	}
	return persistence.Result{IID: head.IID, Turn: c.Turn + 1}
}

// wellFormed reports whether the command agrees with itself.
func wellFormed(c *persistence.CommitTurn) bool {
	continued := c.Outcome == persistence.OutcomeContinued
	good := c.Outcome >= persistence.OutcomeRunning && c.Outcome <= persistence.OutcomeContinued &&
		(c.Next != nil) == continued && (c.IID == 0) == (c.AcceptedStart != nil)
	parts := c.Segment.Parts
	for i, p := range parts {
		good = good && (p.Count > 0 || len(parts) == 1) &&
			(i == 0 || p.FirstEvent == parts[i-1].FirstEvent+parts[i-1].Count)
	}
	var work, timers, children []uint64
	for _, w := range c.Work {
		work = append(work, w.Event)
	}
	for _, t := range c.Timers {
		timers = append(timers, t.Event)
	}
	for _, ch := range c.Children {
		children = append(children, ch.Event)
	}
	for _, events := range [][]uint64{work, timers, children} {
		for i, e := range events {
			good = good && partOf(c.Segment, e) > 0 && (i == 0 || events[i-1] < e)
		}
	}
	for _, k := range c.KV {
		good = good && k.Op >= persistence.KVSet && k.Op <= persistence.KVClearAll
	}
	for _, s := range c.Sends {
		good = good && (s.Kind >= persistence.SendStartChild && s.Kind <= persistence.SendCancel || s.Kind == persistence.SendMessage ||
			s.Kind == persistence.SendAwait || s.Kind == persistence.SendUnawait)
	}
	return good
}

// inPlace reports whether the turn was computed from the present state and fits behind what is stored.
func (m *Model) inPlace(c *persistence.CommitTurn, head *persistence.Head) bool {
	next := uint64(1)
	switch {
	case c.IID == 0 && (c.Execution != 1 || c.Turn != 0 || c.AcceptedStart.ID != c.ID):
		return false
	case c.IID == 0:
	case head == nil || head.ID != c.ID || head.Status.Terminal():
		return false
	case head.Execution != c.Execution || head.Turn != c.Turn || c.ConsumesStart != (c.Turn == 0):
		return false
	default:
		next = head.NextEvent
	}
	return len(c.Segment.Parts) == 0 || c.Segment.Parts[0].FirstEvent == next
}

// turnFence lets through the token of the row's lease, or without a live lease a grant of the current epoch.
func (m *Model) turnFence(l persistence.TurnLease, token persistence.Token) error {
	switch {
	case m.opens(token, l.Token, l.Holder):
		return nil
	case token != "", m.live(l.Token, l.Holder, l.ExpiresAtMs):
		return &persistence.Refusal{Code: persistence.LeaseLost}
	case !m.granted(m.epoch):
		return &persistence.Refusal{Code: persistence.Fenced}
	}
	return nil
}

// staleEntries lists what the turn consumes or accepts and is not there, or was answered, or is named twice.
func (m *Model) staleEntries(c *persistence.CommitTurn) []persistence.Position {
	var stale []persistence.Position
	check := func(part persistence.Part, i int, good bool) {
		if !good {
			stale = append(stale, persistence.Position{Part: part, Index: i})
		}
	}
	for i, seq := range c.ConsumedInbox {
		there := slices.ContainsFunc(m.inbox[c.IID], func(item persistence.InboxItem) bool { return item.Seq == seq })
		check(persistence.PartInbox, i, there && !slices.Contains(c.ConsumedInbox[:i], seq))
	}
	for i, ref := range c.ConsumedTimers {
		there := m.timers[timerKey(c.IID, c.Execution, ref)]
		check(persistence.PartTimer, i, there && !slices.Contains(c.ConsumedTimers[:i], ref))
	}
	keys := map[string]bool{}
	if s := c.AcceptedStart; s != nil {
		_, known := m.remembered(s.ID, s.Request.Key)
		check(persistence.PartStart, 0, !known)
		keys[s.Request.Key] = true
	}
	for i, a := range c.AcceptedMessages {
		_, known := m.remembered(c.ID, a.Request.Key)
		check(persistence.PartEvent, i, !known && (a.Request.Key == "" || !keys[a.Request.Key]))
		keys[a.Request.Key] = true
	}
	seen := map[uint64]bool{}
	for i, a := range c.AcceptedResults {
		key := persistence.WorkKey{IID: c.IID, Execution: a.Execution, Event: a.Event}
		w, there := m.work[key]
		good := there && !seen[a.Event] && m.workFence(w, a.Token, a.Attempts, a.Epoch) == nil
		check(persistence.PartResult, i, good)
		seen[a.Event] = true
	}
	return stale
}

func timerKey(iid persistence.Incarnation, execution uint64, ref persistence.TimerRef) persistence.TimerKey {
	return persistence.TimerKey{FireAtMs: ref.FireAtMs, IID: iid, Execution: execution, Event: ref.Event}
}

func (m *Model) consume(head *persistence.Head, c *persistence.CommitTurn) {
	if len(c.ConsumedInbox) > 0 {
		m.takeFromInbox(head, func(item persistence.InboxItem) bool { return slices.Contains(c.ConsumedInbox, item.Seq) })
	}
	for _, ref := range c.ConsumedTimers {
		m.deleteTimer(head, ref)
	}
	for _, a := range c.AcceptedMessages {
		m.remember(head.ID, a.Request, head.IID, 0)
	}
	for _, a := range c.AcceptedResults {
		m.deleteWork(head, persistence.WorkKey{IID: head.IID, Execution: a.Execution, Event: a.Event})
	}
	delete(m.starts, executionKey{head.IID, head.Execution})
}

func (m *Model) deleteTimer(head *persistence.Head, ref persistence.TimerRef) {
	key := timerKey(head.IID, head.Execution, ref)
	if m.timers[key] {
		delete(m.timers, key)
		head.Timers--
		m.effects.TimersDeleted = append(m.effects.TimersDeleted, key)
	}
}

func (m *Model) deleteWork(head *persistence.Head, key persistence.WorkKey) {
	if _, there := m.work[key]; there {
		delete(m.work, key)
		head.Work--
		m.effects.WorkDeleted = append(m.effects.WorkDeleted, key)
	}
}

func (m *Model) appendSegment(head *persistence.Head, c *persistence.CommitTurn) {
	parts := c.Segment.Parts
	if len(parts) == 0 {
		parts = []persistence.SegmentPart{{FirstEvent: head.NextEvent}}
	}
	key := executionKey{head.IID, head.Execution}
	for i, p := range parts {
		part := persistence.StoredPart{
			Execution: head.Execution, Turn: c.Turn + 1, FirstEvent: p.FirstEvent, Count: p.Count, Events: p.Events,
		}
		if i == 0 {
			part.Header = c.Segment.Header
		}
		if i == 0 && c.Turn == 0 {
			part.Previous = head.Previous
		}
		head.Chain = head.Chain.Next(&part)
		part.Chain = head.Chain
		m.parts[key] = append(m.parts[key], part)
		head.NextEvent += p.Count
		head.LastPart = p.FirstEvent
		head.HistoryEvents += p.Count
		head.HistoryBytes += uint64(len(part.Header) + len(p.Events))
	}
}

// schedule writes what the turn asks for, then takes away what it gave up: something scheduled and cancelled in the
// same turn leaves nothing.
func (m *Model) schedule(head *persistence.Head, c *persistence.CommitTurn) {
	for i, w := range c.Work {
		key := persistence.WorkKey{IID: head.IID, Execution: head.Execution, Event: w.Event}
		m.work[key] = persistence.WorkItem{
			ID: head.ID, Key: key, Name: w.Name, Order: persistence.WorkOrder(m.index, i), Tag: w.Tag, Session: w.Session,
			NotBeforeMs: w.NotBeforeMs, Part: partOf(c.Segment, w.Event),
			Attempt: w.Attempt, FirstEvent: w.FirstEvent, Deadlines: w.Deadlines, Heartbeat: w.Heartbeat,
		}
		head.Work++
		announced := m.work[key]
		announced.Input, announced.Orchestration, announced.Version = w.Input, head.Name, head.Version
		m.effects.Work = append(m.effects.Work, announced)
	}
	for _, ref := range c.Timers {
		key := timerKey(head.IID, head.Execution, ref)
		m.timers[key] = true
		head.Timers++
		m.effects.Timers = append(m.effects.Timers, persistence.TimerItem{ID: head.ID, Key: key})
	}
	for _, ch := range c.Children {
		m.children[persistence.WorkKey{IID: head.IID, Execution: head.Execution, Event: ch.Event}] = persistence.ChildItem{
			Execution: head.Execution, Event: ch.Event, ID: ch.ID, Policy: ch.Policy,
		}
		head.Children++
	}
	for _, event := range c.CancelledWork {
		m.deleteWork(head, persistence.WorkKey{IID: head.IID, Execution: head.Execution, Event: event})
	}
	for _, ref := range c.CancelledTimers {
		m.deleteTimer(head, ref)
	}
	for _, event := range c.ClosedChildren {
		m.deleteChild(head, persistence.WorkKey{IID: head.IID, Execution: head.Execution, Event: event})
	}
}

// forgetDeleted takes back the announcement of what the same command deleted.
func (m *Model) forgetDeleted() {
	e := m.effects
	e.Work = slices.DeleteFunc(e.Work, func(w persistence.WorkItem) bool { return slices.Contains(e.WorkDeleted, w.Key) })
	e.Timers = slices.DeleteFunc(e.Timers, func(t persistence.TimerItem) bool {
		return slices.Contains(e.TimersDeleted, t.Key)
	})
}

func (m *Model) deleteChild(head *persistence.Head, key persistence.WorkKey) {
	if _, there := m.children[key]; there {
		delete(m.children, key)
		head.Children--
	}
}

// partOf is the first event of the part that holds an event; 0 if none does.
func partOf(s persistence.SegmentDraft, event uint64) uint64 {
	for _, p := range s.Parts {
		if p.FirstEvent <= event && event < p.FirstEvent+p.Count {
			return p.FirstEvent
		}
	}
	return 0
}

// finish sets the status that the turn leaves, and takes away what an ended execution leaves open.
func (m *Model) finish(head *persistence.Head, c *persistence.CommitTurn) {
	status := persistence.StatusRunning
	switch c.Outcome {
	case persistence.OutcomeCompleted:
		status = persistence.StatusCompleted
	case persistence.OutcomeFailed:
		status = persistence.StatusFailed
	case persistence.OutcomeContinued:
		status = persistence.StatusPending
	}
	*m.counter(head.Status)--
	*m.counter(status)++
	if status != head.Status || status == persistence.StatusPending {
		head.UpdatedAtMs = m.now
	}
	head.Status, head.LastTurnAtMs, head.Turn = status, m.now, head.Turn+1
	if status != persistence.StatusRunning {
		m.closeExecution(head)
	}
	switch {
	case status.Terminal():
		head.EndedAtMs = m.now
		m.takeFromInbox(head, func(persistence.InboxItem) bool { return true })
		end := persistence.EndEffect{ID: head.ID, IID: head.IID, Status: status, Execution: head.Execution}
		for _, part := range c.Segment.Parts {
			end.Last = part.Events
		}
		m.effects.Ended = append(m.effects.Ended, end)
		m.answerWatchers(head)
	case status == persistence.StatusPending:
		m.mergeKV(head)
		head.Execution++
		head.Turn, head.NextEvent, head.LastPart, head.HistoryEvents, head.HistoryBytes = 0, 1, 0, 0, 0
		head.Previous = head.Chain
		head.Chain = persistence.SeedChain(head.IID, head.Execution, head.Previous)
		head.Name, head.Version, head.Pin = c.Next.Name, c.Next.Version, ""
		m.writeStart(persistence.PendingStart{
			ID: head.ID, IID: head.IID, Execution: head.Execution, Name: c.Next.Name, Version: c.Next.Version,
			Start: c.Next.Start, Parent: head.Parent,
		})
	}
}

func (m *Model) counter(s persistence.Status) *uint64 {
	return map[persistence.Status]*uint64{
		persistence.StatusPending: &m.state.Pending, persistence.StatusRunning: &m.state.Running,
		persistence.StatusCompleted: &m.state.Completed, persistence.StatusFailed: &m.state.Failed,
	}[s]
}

// closeExecution deletes open work, timers and children.
func (m *Model) closeExecution(head *persistence.Head) {
	for key := range m.work {
		if key.IID == head.IID {
			m.deleteWork(head, key)
		}
	}
	for key := range m.timers {
		if key.IID == head.IID {
			m.deleteTimer(head, persistence.TimerRef{FireAtMs: key.FireAtMs, Event: key.Event})
		}
	}
	for key := range m.children {
		if key.IID == head.IID {
			m.deleteChild(head, key)
		}
	}
	head.Cleanup = persistence.Cleanup{}
}
