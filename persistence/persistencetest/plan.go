package persistencetest

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/internal/history"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// plan builds one turn as an engine would: what it takes in becomes events first, then what it asks for. The journal
// does not look into events, but a store's verification may, so a plan's history is a true one.
type plan struct {
	commit persistence.CommitTurn
	events []*turnpb.Event
	first  uint64
	next   uint64
	nowMs  int64
	// perPart is how many events go into one part; 0 means all.
	perPart int
}

// newPlan is the turn that follows the head.
func newPlan(head persistence.Head, nowMs int64) *plan {
	return &plan{
		commit: persistence.CommitTurn{
			ID: head.ID, IID: head.IID, Execution: head.Execution, Turn: head.Turn, Outcome: persistence.OutcomeRunning,
			Name: head.Name, Version: head.Version, Pin: head.Pin,
		},
		first: head.NextEvent, next: head.NextEvent, nowMs: nowMs,
	}
}

// newFusedPlan is the first turn of an instance that its own commit creates.
func newFusedPlan(s persistence.StartInstance, nowMs int64) *plan {
	p := newPlan(persistence.Head{ID: s.ID, Execution: 1, NextEvent: 1, Name: s.Name, Version: s.Version}, nowMs)
	p.commit.AcceptedStart = &s
	p.commit.Pin = "1.0.0"
	p.add(&turnpb.Event{Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{
		Name: s.Name, Version: s.Version, Input: s.Input,
	}}})
	return p
}

// add gives an event the next id.
func (p *plan) add(e *turnpb.Event) uint64 {
	e.Id = p.next
	p.next++
	p.events = append(p.events, e)
	return e.Id
}

// note adds an event that asks for nothing, with a text to know it by.
func (p *plan) note(text string) {
	p.add(&turnpb.Event{Kind: &turnpb.Event_ExternalSubscribed{ExternalSubscribed: &turnpb.ExternalSubscribed{
		Name: text, Mode: turnpb.WaitMode_WAIT_MODE_BUFFERED,
	}}})
}

// takeStart makes this an execution's first turn.
func (p *plan) takeStart(s persistence.PendingStart) {
	p.commit.ConsumesStart = true
	p.commit.Name, p.commit.Version, p.commit.Pin = s.Name, s.Version, "1.0.0"
	p.add(&turnpb.Event{Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{
		Name: s.Name, Version: s.Version, Input: s.Input, Parent: parentOf(s.Parent),
	}}})
}

func parentOf(l persistence.Link) *turnpb.Parent {
	if l.IsZero() {
		return nil
	}
	return &turnpb.Parent{Instance: l.ID, Execution: l.Execution, Event: l.Event}
}

// takeItem consumes an inbox item.
func (p *plan) takeItem(item persistence.InboxItem) {
	p.commit.ConsumedInbox = append(p.commit.ConsumedInbox, item.Seq)
	if item.Form == persistence.ItemChildExists {
		p.convert(&turnpb.Message{Execution: item.Execution, Event: item.Event, Kind: &turnpb.Message_ChildFailure{
			ChildFailure: &turnpb.ChildFailure{},
		}})
		return
	}
	if item.Form == persistence.ItemSendEnded {
		p.convert(&turnpb.Message{Execution: item.Execution, Event: item.Event, Kind: &turnpb.Message_SendEnded{
			SendEnded: &turnpb.SendEnded{Outcome: turnpb.SendOutcome(item.Outcome)},
		}})
		return
	}
	if item.Form == persistence.ItemAwaited {
		p.convert(&turnpb.Message{Execution: item.Execution, Event: item.Event, Kind: &turnpb.Message_AwaitEnded{
			AwaitEnded: &turnpb.AwaitEnded{},
		}})
		return
	}
	p.convert(decodeMessage(item.Message))
}

// convert makes a message's event; a result of an earlier execution leaves none.
func (p *plan) convert(m *turnpb.Message) {
	if m.Execution != 0 && m.Execution != p.commit.Execution {
		return
	}
	e := &turnpb.Event{Source: m.Event}
	switch k := m.Kind.(type) {
	case *turnpb.Message_EventRaised:
		e.Kind = &turnpb.Event_ExternalEvent{ExternalEvent: &turnpb.ExternalEvent{
			Name: k.EventRaised.Name, Data: k.EventRaised.Data,
		}}
	case *turnpb.Message_ActivityResult:
		e.Kind = &turnpb.Event_ActivityCompleted{ActivityCompleted: &turnpb.ActivityCompleted{
			Result: k.ActivityResult.Result,
		}}
	case *turnpb.Message_ActivityFailure:
		e.Kind = &turnpb.Event_ActivityFailed{ActivityFailed: &turnpb.ActivityFailed{
			Failure: k.ActivityFailure.Failure, Timeout: k.ActivityFailure.Timeout,
		}}
	case *turnpb.Message_ChildResult:
		p.commit.ClosedChildren = append(p.commit.ClosedChildren, m.Event)
		e.Kind = &turnpb.Event_SubOrchestrationCompleted{SubOrchestrationCompleted: &turnpb.SubOrchestrationCompleted{
			Result: k.ChildResult.Result,
		}}
	case *turnpb.Message_ChildFailure:
		p.commit.ClosedChildren = append(p.commit.ClosedChildren, m.Event)
		e.Kind = &turnpb.Event_SubOrchestrationFailed{SubOrchestrationFailed: &turnpb.SubOrchestrationFailed{}}
	case *turnpb.Message_Cancel:
		e.Kind = &turnpb.Event_CancelRequested{CancelRequested: &turnpb.OrchestrationCancelRequested{
			Reason: k.Cancel.Reason,
		}}
	case *turnpb.Message_SendEnded:
		e.Kind = &turnpb.Event_SendEnded{SendEnded: k.SendEnded}
	case *turnpb.Message_AwaitEnded:
		e.Kind = &turnpb.Event_AwaitEnded{AwaitEnded: k.AwaitEnded}
	default:
		return
	}
	p.add(e)
}

// takeTimer consumes a durable timer.
func (p *plan) takeTimer(ref persistence.TimerRef) {
	p.commit.ConsumedTimers = append(p.commit.ConsumedTimers, ref)
	p.add(&turnpb.Event{Source: ref.Event, Kind: &turnpb.Event_TimerFired{TimerFired: &turnpb.TimerFired{
		FireAtMs: ref.FireAtMs,
	}}})
}

// acceptMessage takes in a message that was never in the inbox.
func (p *plan) acceptMessage(r persistence.Request, message []byte) {
	p.commit.AcceptedMessages = append(p.commit.AcceptedMessages, persistence.AcceptedMessage{Request: r})
	p.convert(decodeMessage(message))
}

// acceptResult takes in an activity's result that was never in the inbox.
func (p *plan) acceptResult(r persistence.AcceptedResult) {
	p.commit.AcceptedResults = append(p.commit.AcceptedResults, r)
	p.convert(decodeMessage(resultMessage(persistence.WorkKey{Execution: r.Execution, Event: r.Event}, "accepted")))
}

// schedule asks for an activity.
func (p *plan) schedule(name string) uint64 {
	return p.scheduleAs(persistence.NewWork{Name: name, Input: []byte("input of " + name)})
}

func (p *plan) scheduleAs(w persistence.NewWork) uint64 {
	w.Event = p.add(&turnpb.Event{Kind: &turnpb.Event_ActivityScheduled{ActivityScheduled: &turnpb.ActivityScheduled{
		Name: w.Name, Input: w.Input, Session: w.Session, Tag: w.Tag, Attempt: w.Attempt, FirstEvent: w.FirstEvent,
	}}})
	p.commit.Work = append(p.commit.Work, w)
	return w.Event
}

// cancelWork gives an activity up.
func (p *plan) cancelWork(event uint64) {
	p.add(&turnpb.Event{Source: event, Kind: &turnpb.Event_ActivityCancelRequested{
		ActivityCancelRequested: &turnpb.ActivityCancelRequested{Reason: "dropped"},
	}})
	p.commit.CancelledWork = append(p.commit.CancelledWork, event)
}

// timer asks for a durable timer.
func (p *plan) timer(fireAtMs int64) persistence.TimerRef {
	ref := persistence.TimerRef{FireAtMs: fireAtMs, Event: p.add(&turnpb.Event{
		Kind: &turnpb.Event_TimerCreated{TimerCreated: &turnpb.TimerCreated{FireAtMs: fireAtMs}},
	})}
	p.commit.Timers = append(p.commit.Timers, ref)
	return ref
}

// child asks for a child that this instance waits for.
func (p *plan) child(id, name, version string) uint64 {
	event := p.add(&turnpb.Event{Kind: &turnpb.Event_SubOrchestrationScheduled{
		SubOrchestrationScheduled: &turnpb.SubOrchestrationScheduled{
			Name: name, Instance: id, Policy: turnpb.ChildPolicy_CHILD_POLICY_CANCEL,
		},
	}})
	p.commit.Children = append(p.commit.Children, persistence.NewChild{
		Event: event, ID: id, Policy: uint8(turnpb.ChildPolicy_CHILD_POLICY_CANCEL),
	})
	p.commit.Sends = append(p.commit.Sends, persistence.Send{
		Kind: persistence.SendStartChild, To: id, Name: name, Version: version, Input: []byte("input of " + id),
		Link: persistence.Link{Execution: p.commit.Execution, Event: event},
	})
	return event
}

// detach starts an instance that no other one waits for.
func (p *plan) detach(id, name string) {
	p.add(&turnpb.Event{Kind: &turnpb.Event_OrchestrationChained{OrchestrationChained: &turnpb.OrchestrationChained{
		Name: name, Instance: id,
	}}})
	p.commit.Sends = append(p.commit.Sends, persistence.Send{
		Kind: persistence.SendStartDetached, To: id, Name: name, Input: []byte("input of " + id),
	})
}

// message sends an event to another instance, whose inbox takes so many.
func (p *plan) message(id, name string, most uint64) uint64 {
	event := p.add(&turnpb.Event{Kind: &turnpb.Event_SendScheduled{SendScheduled: &turnpb.SendScheduled{
		Instance: id, Kind: turnpb.ArrivalKind_ARRIVAL_KIND_EVENT, Name: name,
	}}})
	p.commit.Sends = append(p.commit.Sends, persistence.Send{
		Kind: persistence.SendMessage, To: id, Message: eventMessage(name), InboxMax: most,
		Topic: persistence.TopicOf(uint8(turnpb.ArrivalKind_ARRIVAL_KIND_EVENT), name),
		Link:  persistence.Link{Execution: p.commit.Execution, Event: event},
	})
	return event
}

// await waits for the end of another instance.
func (p *plan) await(id string) uint64 {
	event := p.add(&turnpb.Event{Kind: &turnpb.Event_AwaitScheduled{AwaitScheduled: &turnpb.AwaitScheduled{Instance: id}}})
	p.commit.Sends = append(p.commit.Sends, persistence.Send{
		Kind: persistence.SendAwait, To: id, Link: persistence.Link{Execution: p.commit.Execution, Event: event},
	})
	return event
}

// unawait waits for it no longer.
func (p *plan) unawait(id string, event uint64) {
	p.commit.Sends = append(p.commit.Sends, persistence.Send{
		Kind: persistence.SendUnawait, To: id, Link: persistence.Link{Execution: p.commit.Execution, Event: event},
	})
}

// cancelChild tells a child to stop.
func (p *plan) cancelChild(c persistence.ChildItem) {
	p.add(&turnpb.Event{Source: c.Event, Kind: &turnpb.Event_SubOrchestrationCancelRequested{
		SubOrchestrationCancelRequested: &turnpb.SubOrchestrationCancelRequested{Reason: "dropped"},
	}})
	p.commit.Sends = append(p.commit.Sends, persistence.Send{
		Kind: persistence.SendCancel, To: c.ID, Link: persistence.Link{Execution: c.Execution, Event: c.Event},
		Message: cancelMessage("dropped"),
	})
}

// setStatus sets the custom status.
func (p *plan) setStatus(text string) {
	p.add(&turnpb.Event{Kind: &turnpb.Event_CustomStatusUpdated{CustomStatusUpdated: &turnpb.CustomStatusUpdated{Status: &text}}})
	p.commit.Status = &persistence.StatusChange{Value: &text}
}

// resetStatus takes the custom status back.
func (p *plan) resetStatus() {
	p.add(&turnpb.Event{Kind: &turnpb.Event_CustomStatusUpdated{CustomStatusUpdated: &turnpb.CustomStatusUpdated{}}})
	p.commit.Status = &persistence.StatusChange{}
}

// setKV sets a key.
func (p *plan) setKV(key, value string) {
	p.add(&turnpb.Event{Kind: &turnpb.Event_KeyValueSet{KeyValueSet: &turnpb.KeyValueSet{
		Key: key, Value: []byte(value), LastUpdatedAtMs: p.nowMs,
	}}})
	p.commit.KV = append(p.commit.KV, persistence.KVChange{
		Op: persistence.KVSet, Key: key, Value: []byte(value), UpdatedMs: p.nowMs,
	})
}

// clearKV removes a key.
func (p *plan) clearKV(key string) {
	p.add(&turnpb.Event{Kind: &turnpb.Event_KeyValueCleared{KeyValueCleared: &turnpb.KeyValueCleared{Key: key}}})
	p.commit.KV = append(p.commit.KV, persistence.KVChange{Op: persistence.KVClear, Key: key})
}

// clearAllKV removes all keys.
func (p *plan) clearAllKV() {
	p.add(&turnpb.Event{Kind: &turnpb.Event_KeyValuesCleared{KeyValuesCleared: &turnpb.KeyValuesCleared{}}})
	p.commit.KV = append(p.commit.KV, persistence.KVChange{Op: persistence.KVClearAll})
}

// complete ends the instance; a child answers its parent.
func (p *plan) complete(parent persistence.Link) {
	p.add(&turnpb.Event{Kind: &turnpb.Event_Completed{Completed: &turnpb.OrchestrationCompleted{Output: []byte("done")}}})
	p.commit.Outcome = persistence.OutcomeCompleted
	p.answer(parent)
}

// completeLarge ends the instance with an output of so many bytes.
func (p *plan) completeLarge(size int) {
	p.add(&turnpb.Event{Kind: &turnpb.Event_Completed{Completed: &turnpb.OrchestrationCompleted{Output: make([]byte, size)}}})
	p.commit.Outcome = persistence.OutcomeCompleted
}

// fail ends the instance with a failure.
func (p *plan) fail(parent persistence.Link) {
	p.add(&turnpb.Event{Kind: &turnpb.Event_Failed{Failed: &turnpb.OrchestrationFailed{Failure: &turnpb.Failure{}}}})
	p.commit.Outcome = persistence.OutcomeFailed
	p.answer(parent)
}

func (p *plan) answer(parent persistence.Link) {
	if parent.IsZero() {
		return
	}
	p.commit.Sends = append(p.commit.Sends, persistence.Send{
		Kind: persistence.SendAnswer, To: parent.ID, Link: parent,
		Message: encode(&turnpb.Message{Execution: parent.Execution, Event: parent.Event, Kind: &turnpb.Message_ChildResult{
			ChildResult: &turnpb.ChildResult{Result: []byte("from " + p.commit.ID)},
		}}),
	})
}

// continueAsNew ends the execution and asks for the next.
func (p *plan) continueAsNew(name, version string) {
	p.add(&turnpb.Event{Kind: &turnpb.Event_ContinuedAsNew{ContinuedAsNew: &turnpb.OrchestrationContinuedAsNew{
		Input: []byte("again"), Version: version,
	}}})
	p.commit.Outcome = persistence.OutcomeContinued
	p.commit.Next = &persistence.NextStart{Name: name, Version: version, Start: encode(&turnpb.Message{
		Kind: &turnpb.Message_Start{Start: &turnpb.StartOrchestration{Name: name, Version: version, Input: []byte("again")}},
	})}
}

// build is the finished command.
func (p *plan) build() *persistence.CommitTurn {
	c := p.commit
	c.Segment.Header = encode(&turnpb.SegmentHeader{
		Turn: c.Turn + 1, TimeMs: p.nowMs, Entropy: []byte("sixteen bytes...."[:16]), EngineVersion: "1.0.0",
		Origin: turnpb.SegmentOrigin_SEGMENT_ORIGIN_CODE,
	})
	size := p.perPart
	if size <= 0 {
		size = len(p.events)
	}
	first := p.first
	for rest := p.events; len(rest) > 0; {
		n := min(size, len(rest))
		c.Segment.Parts = append(c.Segment.Parts, persistence.SegmentPart{
			FirstEvent: first, Count: uint64(n), Events: encode(&turnpb.EventList{Events: rest[:n]}),
		})
		first += uint64(n)
		rest = rest[n:]
	}
	return &c
}

func encode(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err) // only invalid UTF-8 can fail, and the kit writes none
	}
	return b
}

func decodeMessage(b []byte) *turnpb.Message {
	m := &turnpb.Message{}
	if err := proto.Unmarshal(b, m); err != nil {
		panic(fmt.Sprintf("an inbox item holds %x, which no test wrote: %v", b, err))
	}
	return m
}

func eventMessage(text string) []byte {
	return encode(&turnpb.Message{Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: text}}})
}

func resultMessage(key persistence.WorkKey, result string) []byte {
	return encode(&turnpb.Message{Execution: key.Execution, Event: key.Event, Kind: &turnpb.Message_ActivityResult{
		ActivityResult: &turnpb.ActivityResult{Result: []byte(result)},
	}})
}

func timeoutMessage(key persistence.WorkKey, kind persistence.ExpiryKind) []byte {
	return encode(&turnpb.Message{Execution: key.Execution, Event: key.Event, Kind: &turnpb.Message_ActivityFailure{
		ActivityFailure: &turnpb.ActivityFailure{Timeout: map[persistence.ExpiryKind]turnpb.TimeoutKind{
			persistence.ExpiredStartToClose:    turnpb.TimeoutKind_TIMEOUT_KIND_START_TO_CLOSE,
			persistence.ExpiredScheduleToStart: turnpb.TimeoutKind_TIMEOUT_KIND_SCHEDULE_TO_START,
			persistence.ExpiredHeartbeat:       turnpb.TimeoutKind_TIMEOUT_KIND_HEARTBEAT,
			persistence.ExpiredScheduleToClose: turnpb.TimeoutKind_TIMEOUT_KIND_SCHEDULE_TO_CLOSE,
		}[kind]},
	}})
}

func cancelMessage(reason string) []byte {
	return encode(&turnpb.Message{Kind: &turnpb.Message_Cancel{Cancel: &turnpb.CancelInstance{Reason: reason}}})
}

// messageText shows a message as a story would tell it.
func messageText(item persistence.InboxItem) string {
	if item.Form == persistence.ItemChildExists {
		return fmt.Sprintf("child %s of %d exists", item.ChildID, item.Event)
	}
	if item.Form == persistence.ItemSendEnded {
		return fmt.Sprintf("send of %d: %v", item.Event, turnpb.SendOutcome(item.Outcome))
	}
	if item.Form == persistence.ItemAwaited {
		return awaitedText(item)
	}
	switch k := decodeMessage(item.Message).Kind.(type) {
	case *turnpb.Message_EventRaised:
		return k.EventRaised.Name
	case *turnpb.Message_ActivityResult:
		return fmt.Sprintf("result of %d: %s", decodeMessage(item.Message).Event, k.ActivityResult.Result)
	case *turnpb.Message_ActivityFailure:
		return fmt.Sprintf("timeout of %d: %v", decodeMessage(item.Message).Event, k.ActivityFailure.Timeout)
	case *turnpb.Message_ChildResult:
		return fmt.Sprintf("child of %d: %s", decodeMessage(item.Message).Event, k.ChildResult.Result)
	case *turnpb.Message_Cancel:
		return "cancel: " + k.Cancel.Reason
	default:
		return fmt.Sprintf("%T", k)
	}
}

// awaitedText shows how the instance ended that one waited for.
func awaitedText(item persistence.InboxItem) string {
	end := "gone"
	if last, err := history.Last(item.Message); err != nil {
		end = err.Error()
	} else if done := last.GetCompleted(); done != nil {
		end = fmt.Sprintf("%d bytes", len(done.GetOutput()))
	} else if last.GetFailed() != nil {
		end = "failed"
	}
	return fmt.Sprintf("await of %d: %s", item.Event, end)
}

// eventTexts shows the events of a stored part: id, kind and what tells them apart.
func eventTexts(part persistence.StoredPart) ([]string, error) {
	events, err := history.Events(part.FirstEvent, part.Events)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, e := range events {
		kind := strings.TrimPrefix(fmt.Sprintf("%T", e.Kind), "*turnpb.Event_")
		switch k := e.Kind.(type) {
		case *turnpb.Event_ExternalSubscribed:
			kind = k.ExternalSubscribed.Name
		case *turnpb.Event_ExternalEvent:
			kind = "got " + k.ExternalEvent.Name
		case *turnpb.Event_ActivityScheduled:
			kind = "wants " + k.ActivityScheduled.Name
		}
		texts = append(texts, fmt.Sprintf("%d %s", e.Id, kind))
	}
	return texts, nil
}
