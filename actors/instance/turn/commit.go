package turn

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// buildCommit makes the command that records the decision. It leaves out what is known only when the command is proposed: the
// incarnation of a start that was accepted meanwhile, and which arrivals went to the inbox. It runs in the slot.
func (t *Turn) buildCommit() {
	d := t.Decision
	c := &persistence.CommitTurn{
		ID: t.Head.id, Execution: t.Head.Execution, Turn: t.Head.turn, Token: t.Token,
		CancelledWork: d.CancelledActivities, ClosedChildren: d.ClosedChildren,
	}
	if c.Turn == 0 {
		c.Name, c.Version, c.Pin = t.Name, t.Version, ""
		if t.Consumer != nil {
			c.Pin = t.Consumer.EngineVersion
		}
	}
	c.ConsumedInbox = t.consumedRows()
	t.Rows = len(c.ConsumedInbox)
	for _, key := range t.Timers {
		c.ConsumedTimers = append(c.ConsumedTimers, persistence.TimerRef{FireAtMs: key.FireAtMs, Event: key.Event})
	}
	t.addWork(c)
	if err := t.addSends(c); err != nil {
		t.Spoiled = err
		return
	}
	if d.Status != nil {
		c.Status = &persistence.StatusChange{Value: d.Status.Value}
	}
	for i := range d.KV {
		k := &d.KV[i]
		c.KV = append(c.KV, persistence.KVChange{
			Op: persistence.KVOp(k.Op), Key: k.Key, Value: k.Value, UpdatedMs: k.UpdatedMs,
		})
	}
	if s := t.cleanup(); s.Event > 0 && d.Outcome == replay.Running {
		c.Cleanup = persistence.Cleanup{Event: s.Event, SinceMs: s.SinceMs, DeadlineMs: s.DeadlineMs, Left: uint64(s.Left)}
	}
	if err := t.addOutcome(c); err != nil {
		t.Spoiled = err
		return
	}
	size, err := t.addSegment(c)
	if err != nil {
		t.Spoiled = err
		return
	}
	t.Commit = c
	if t.ForcedEnd == nil { // an end without code is recorded whatever its size, or the instance could not end
		t.OverLimit = t.checkLimits(c, size)
	}
}

// cleanup says how far the undo steps are. An end that no machine made has none.
func (t *Turn) cleanup() (s replay.CleanupState) {
	if t.Machine != nil {
		s = t.Machine.CleanupState()
	}
	return s
}

// addWork adds the activities and timers that the turn schedules, and the timers that it cancels.
func (t *Turn) addWork(c *persistence.CommitTurn) {
	d := t.Decision
	for i := range d.Activities {
		a := &d.Activities[i]
		c.Work = append(c.Work, persistence.NewWork{
			Event: a.Event, Name: a.Name, Input: a.Input, Attempt: a.Attempt, FirstEvent: a.First, Tag: a.Tag, Session: a.Session,
			Deadlines: deadlines(a.Timeouts, t.Input.TimeMs), Heartbeat: a.LastHeartbeat,
		})
	}
	for _, timer := range d.Timers {
		c.Timers = append(c.Timers, persistence.TimerRef{FireAtMs: timer.FireAtMs, Event: timer.Event})
	}
	for _, timer := range d.CancelledTimers {
		c.CancelledTimers = append(c.CancelledTimers, persistence.TimerRef{FireAtMs: timer.FireAtMs, Event: timer.Event})
	}
}

// deadlines are the bounds of an activity that is scheduled at a time of the wall clock.
func deadlines(t *turnpb.ActivityTimeouts, atMs int64) (d persistence.Deadlines) {
	if t == nil {
		return d
	}
	d.StartToCloseMs, d.HeartbeatMs = t.GetStartToCloseMs(), t.GetHeartbeatMs()
	if ms := t.GetScheduleToStartMs(); ms > 0 {
		d.ScheduleToStartAtMs = atMs + ms
	}
	if ms := t.GetScheduleToCloseMs(); ms > 0 {
		d.ScheduleToCloseAtMs = atMs + ms
	}
	return d
}

// addSends adds the starts of children and detached instances, the messages for others and the waits for their ends, in the
// order in which the code asked for them: one that is started gets what is sent to it afterwards, and of two starts with the
// same id the first gets it.
func (t *Turn) addSends(c *persistence.CommitTurn) error {
	d := t.Decision
	for i := range d.Children {
		child := &d.Children[i]
		c.Children = append(c.Children, persistence.NewChild{
			Event: child.Event, ID: child.Instance, Policy: uint8(child.Policy),
		})
		c.Sends = append(c.Sends, persistence.Send{
			Kind: persistence.SendStartChild, To: child.Instance, Name: child.Name, Version: child.Version, Input: child.Input,
			Link:    persistence.Link{Execution: c.Execution, Event: child.Event},
			DelayMs: child.Life.DelayMs, ExecutionTimeoutMs: child.Life.TimeoutMs,
		})
	}
	for i := range d.Detached {
		o := &d.Detached[i]
		c.Sends = append(c.Sends, persistence.Send{
			Kind: persistence.SendStartDetached, To: o.Instance, Name: o.Name, Version: o.Version, Input: o.Input,
			Link:    persistence.Link{Execution: c.Execution, Event: o.Event},
			DelayMs: o.Life.DelayMs, ExecutionTimeoutMs: o.Life.TimeoutMs,
		})
	}
	for _, a := range d.Awaits {
		addAwait(c, persistence.SendAwait, a)
	}
	for _, a := range d.CancelledAwaits {
		addAwait(c, persistence.SendUnawait, a)
	}
	for i := range d.Sends {
		if err := t.addMessage(c, &d.Sends[i]); err != nil {
			return err
		}
	}
	slices.SortFunc(c.Sends, func(a, b persistence.Send) int { return cmp.Compare(a.Link.Event, b.Link.Event) })
	return nil
}

// addAwait adds a wait for the end of another instance, or its end.
func addAwait(c *persistence.CommitTurn, kind persistence.SendKind, a replay.Await) {
	c.Sends = append(c.Sends, persistence.Send{
		Kind: kind, To: a.Instance, Link: persistence.Link{Execution: c.Execution, Event: a.Event},
	})
}

// addMessage adds an event or a queue message for another instance. It carries the bounds of the receiver's inbox, as a
// message from a client does.
func (t *Turn) addMessage(c *persistence.CommitTurn, s *replay.Send) error {
	m := &turnpb.Message{Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: s.Name, Data: s.Data}}}
	if s.Kind == turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE {
		m.Kind = &turnpb.Message_QueueMessage{QueueMessage: &turnpb.QueueMessage{Name: s.Name, Data: s.Data}}
	}
	encoded, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the message of event %d for instance %q: %w", s.Event, s.Instance, err)
	}
	l := &t.Host.Config.Limits
	c.Sends = append(c.Sends, persistence.Send{
		Kind: persistence.SendMessage, To: s.Instance, Message: encoded, Topic: persistence.TopicOf(uint8(s.Kind), s.Name),
		Link:     persistence.Link{Execution: c.Execution, Event: s.Event},
		InboxMax: uint64(l.Inbox), InboxBytesMax: uint64(l.InboxBytes),
	})
	return nil
}

// addOutcome adds the cancels of children, the answer to the parent, and the next execution.
func (t *Turn) addOutcome(c *persistence.CommitTurn) error {
	d := t.Decision
	for _, child := range d.CancelledChildren {
		if child.Unsent {
			continue
		}
		cancel := &turnpb.Message{Kind: &turnpb.Message_Cancel{Cancel: &turnpb.CancelInstance{Reason: child.Reason}}}
		encoded, err := proto.Marshal(cancel)
		if err != nil {
			return fmt.Errorf("encode the cancel of child %q: %w", child.Instance, err)
		}
		c.Sends = append(c.Sends, persistence.Send{
			Kind: persistence.SendCancel, To: child.Instance, Message: encoded,
			Link: persistence.Link{Execution: c.Execution, Event: child.Event},
		})
	}
	switch d.Outcome {
	case replay.Running:
		c.Outcome = persistence.OutcomeRunning
		return nil
	case replay.ContinuedAsNew:
		c.Outcome = persistence.OutcomeContinued
		encoded, err := proto.Marshal(&turnpb.Message{Kind: &turnpb.Message_Start{Start: d.Next}})
		if err != nil {
			return fmt.Errorf("encode the next execution's start: %w", err)
		}
		c.Next = &persistence.NextStart{Name: d.Next.GetName(), Version: d.Next.GetVersion(), Start: encoded}
		return nil
	case replay.Completed:
		c.Outcome = persistence.OutcomeCompleted
		return t.answerParent(c, &turnpb.Message{
			Kind: &turnpb.Message_ChildResult{ChildResult: &turnpb.ChildResult{Result: d.Output}},
		})
	case replay.Failed:
		c.Outcome = persistence.OutcomeFailed
		return t.answerParent(c, &turnpb.Message{
			Kind: &turnpb.Message_ChildFailure{ChildFailure: &turnpb.ChildFailure{Failure: d.Failure}},
		})
	}
	panic(fmt.Sprintf("actors: a decision with the unknown outcome %d", d.Outcome))
}

// answerParent adds the answer to the parent's event that waits for this instance.
func (t *Turn) answerParent(c *persistence.CommitTurn, m *turnpb.Message) error {
	parent := t.Head.parent
	if parent.IsZero() {
		return nil
	}
	m.Execution, m.Event = parent.Execution, parent.Event
	encoded, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the answer to parent %q: %w", parent.ID, err)
	}
	c.Sends = append(c.Sends, persistence.Send{
		Kind: persistence.SendAnswer, To: parent.ID, Link: parent, Message: encoded,
	})
	return nil
}

// addSegment encodes the events, once, and returns the size of the turn in bytes: its segment, and what it hands to the next
// execution. It does not count messages to others, because the segment's events have their contents too.
func (t *Turn) addSegment(c *persistence.CommitTurn) (size int, err error) {
	d := t.Decision
	header := &turnpb.SegmentHeader{
		Turn: c.Turn + 1, TimeMs: t.Input.TimeMs, Entropy: t.Input.Entropy[:], Origin: d.Origin,
		Converted: uint32(d.Converted), Rejected: d.Rejected, CallSites: d.CallSites,
		PanicStack: d.PanicStack, Undecoded: d.Undecoded,
	}
	if t.ForcedEnd != nil {
		header.Origin = t.ForcedEnd.Origin
	}
	if t.Consumer != nil {
		header.EngineVersion = t.Consumer.EngineVersion
	}
	if c.Segment, err = encodeSegment(header, d.Events, t.Head.nextEvent); err != nil {
		return 0, err
	}
	size = len(c.Segment.Header)
	for _, p := range c.Segment.Parts {
		size += len(p.Events)
	}
	if c.Next != nil {
		size += len(c.Next.Start) - len(d.Next.GetInput())
	}
	return size, nil
}

// encodeSegment encodes the events of a turn and cuts them into parts. A turn without events has one empty part.
func encodeSegment(header *turnpb.SegmentHeader, events []*turnpb.Event, first uint64) (s persistence.SegmentDraft, err error) {
	if s.Header, err = proto.Marshal(header); err != nil {
		return s, fmt.Errorf("encode a segment's header: %w", err)
	}
	if s.Header == nil {
		s.Header = []byte{}
	}
	part := persistence.SegmentPart{FirstEvent: first}
	options := proto.MarshalOptions{UseCachedSize: true}
	for _, e := range events {
		size := proto.Size(e)
		if part.Count > 0 && len(part.Events)+size > persistence.SegmentPartBytes {
			s.Parts = append(s.Parts, part)
			part = persistence.SegmentPart{FirstEvent: part.FirstEvent + part.Count}
		}
		if part.Events == nil {
			part.Events = make([]byte, 0, min(size+16, persistence.SegmentPartBytes)+64*min(len(events), 64))
		}
		part.Events = protowire.AppendTag(part.Events, 1, protowire.BytesType)
		part.Events = protowire.AppendVarint(part.Events, uint64(size))
		if part.Events, err = options.MarshalAppend(part.Events, e); err != nil {
			return s, fmt.Errorf("encode event %d: %w", e.GetId(), err)
		}
		part.Count++
	}
	s.Parts = append(s.Parts, part)
	return s, nil
}

// checkLimits returns the failure of a turn that is too large or makes the history too long, or nil. The replay machine has
// checked names, ids, payloads, pending operations and carried messages.
func (t *Turn) checkLimits(c *persistence.CommitTurn, size int) *turnpb.Failure {
	l := &t.Host.Config.Limits
	if c.Cleanup.Event > 0 {
		room := l.InCleanup()
		l = &room
	}
	events, bytes := t.Head.historyEvents, t.Head.historyBytes+len(c.Segment.Header)
	added := 0
	for _, p := range c.Segment.Parts {
		added += int(p.Count)
		bytes += len(p.Events)
	}
	events += added
	err := limits.Check("turn bytes", size, l.TurnBytes, "TurnBytes")
	if added > 0 && c.Outcome == persistence.OutcomeRunning {
		err = errors.Join(err, limits.Check("history events", events, l.HistoryEvents, "HistoryEvents"),
			limits.Check("history bytes", bytes, l.HistoryBytes, "HistoryBytes"))
		t.warnHistory(events, bytes)
	}
	if err == nil {
		return nil
	}
	return failure.Limit(err.Error())
}

// warnHistory logs once, when a history passes the warning bound, that the execution should be continued as new.
func (t *Turn) warnHistory(events, bytes int) {
	l := &t.Host.Config.Limits
	passedEvents := t.Head.historyEvents <= l.HistoryEventsWarn && events > l.HistoryEventsWarn
	passedBytes := t.Head.historyBytes <= l.HistoryBytesWarn && bytes > l.HistoryBytesWarn
	if passedEvents || passedBytes {
		t.Host.Config.Logger.Warn("an execution's history grows long; continue it as new before it reaches the limit",
			logkey.Instance, t.Head.id, logkey.HistoryEvents, events, logkey.MaxHistoryEvents, l.HistoryEvents,
			logkey.HistoryBytes, bytes, logkey.MaxHistoryBytes, l.HistoryBytes)
	}
}
