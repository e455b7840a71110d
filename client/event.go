package client

import (
	"time"

	"github.com/turnstone-dev/turnstone"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// Turn is one committed turn of a history.
type Turn struct {
	// Number is its place in its execution, from 1.
	Number uint64
	// Time is what the code saw as the present.
	Time   time.Time
	Events []Event
	// PanicStack is where the code panicked, a line for each call, innermost first; empty if it did not.
	PanicStack string
}

// Event is what a turn recorded: something that the code asked for, or that has come to it. A field that the comment of
// its kind does not name is zero.
type Event struct {
	// ID is its place in the history of the execution, from 1.
	ID   uint64
	Kind EventKind
	// Time is that of its turn.
	Time time.Time
	// Source is the event that this one answers, such as the schedule of an activity; 0 if it answers none.
	Source uint64
	// Name and Version are those of the orchestration, activity or event.
	Name    string
	Version string
	// Instance is the other instance.
	Instance string
	// Data is the encoded input, result, output or event data.
	Data []byte
	// Due is when a timer is due.
	Due     time.Time
	Failure *turnstone.Failure
	Reason  string
	// Queue says that what is sent is a message of a queue, and no event.
	Queue bool
	// Outcome is how a send or a wait for another instance ended.
	Outcome Outcome
}

// Outcome says how a send, or a wait for the end of another instance, ended.
type Outcome string

// The outcomes.
const (
	// OutcomeDelivered: what was sent is in the receiver's inbox.
	OutcomeDelivered Outcome = "Delivered"
	// OutcomeEnded: the receiver has ended.
	OutcomeEnded Outcome = "Ended"
	// OutcomeBusy: the receiver's inbox was full.
	OutcomeBusy Outcome = "Busy"
	// OutcomeNotFound: there is no such instance, or it was deleted.
	OutcomeNotFound Outcome = "NotFound"
	// OutcomeCompleted and OutcomeFailed: the other instance has ended so.
	OutcomeCompleted Outcome = "Completed"
	OutcomeFailed    Outcome = "Failed"
)

// EventKind says what an event records. Each kind that this version records has a constant.
type EventKind string

// The kinds of events.
const (
	// EventStarted begins an execution: Name, Version, Data is the input, Instance is the parent of a child.
	EventStarted EventKind = "OrchestrationStarted"
	// EventCompleted ends an execution: Data is the output.
	EventCompleted EventKind = "OrchestrationCompleted"
	// EventFailed ends an execution: Failure.
	EventFailed EventKind = "OrchestrationFailed"
	// EventContinuedAsNew ends an execution: Data is the input of the next one, Version what was asked for.
	EventContinuedAsNew EventKind = "OrchestrationContinuedAsNew"
	// EventCancelRequested has come to the instance: Reason.
	EventCancelRequested EventKind = "OrchestrationCancelRequested"

	// EventActivityScheduled asks for an activity: Name, Data is the input. What comes of it has it as Source.
	EventActivityScheduled EventKind = "ActivityScheduled"
	// EventActivityCompleted answers with Data, the result.
	EventActivityCompleted EventKind = "ActivityCompleted"
	// EventActivityFailed answers with Failure.
	EventActivityFailed EventKind = "ActivityFailed"
	// EventActivityCancelRequested gives an activity up: Reason.
	EventActivityCancelRequested EventKind = "ActivityCancelRequested"

	// EventTimerCreated asks for a timer: Due.
	EventTimerCreated EventKind = "TimerCreated"
	// EventTimerFired answers: Due.
	EventTimerFired EventKind = "TimerFired"

	// EventSubscribed waits for an event: Name.
	EventSubscribed EventKind = "ExternalSubscribed"
	// EventRaised has come to the instance: Name, Data.
	EventRaised EventKind = "ExternalEvent"
	// EventSubscribedCancelled gives a wait up: Reason.
	EventSubscribedCancelled EventKind = "ExternalSubscribedCancelled"

	// EventDequeued waits for a message of a queue: Name.
	EventDequeued EventKind = "QueueSubscribed"
	// EventEnqueued has come to the instance: Name is the queue, Data the message.
	EventEnqueued EventKind = "QueueEventDelivered"
	// EventDequeuedCancelled gives a wait for a message up: Reason.
	EventDequeuedCancelled EventKind = "QueueSubscriptionCancelled"

	// EventChildScheduled starts a child: Name, Instance, Data is the input.
	EventChildScheduled EventKind = "SubOrchestrationScheduled"
	// EventChildCompleted answers with Data, the child's output.
	EventChildCompleted EventKind = "SubOrchestrationCompleted"
	// EventChildFailed answers with Failure.
	EventChildFailed EventKind = "SubOrchestrationFailed"
	// EventChildCancelRequested cancels a child: Reason.
	EventChildCancelRequested EventKind = "SubOrchestrationCancelRequested"

	// EventDetachedStarted starts an instance with no tie to this one: Name, Instance, Data is the input.
	EventDetachedStarted EventKind = "OrchestrationChained"

	// EventSendScheduled sends an event or a message to another instance: Instance, Name, Data, and Queue.
	EventSendScheduled EventKind = "SendScheduled"
	// EventSendEnded answers with Outcome: Delivered, Ended, Busy or NotFound.
	EventSendEnded EventKind = "SendEnded"
	// EventAwaitScheduled waits for the end of another instance: Instance.
	EventAwaitScheduled EventKind = "AwaitScheduled"
	// EventAwaitEnded answers with Outcome: Completed, and Data is the output; Failed, and Failure; or NotFound.
	EventAwaitEnded EventKind = "AwaitEnded"

	// EventPatchMarked says that the code took the new way of a patch: Name is its id.
	EventPatchMarked EventKind = "PatchMarked"
	// EventSideEffectRecorded keeps a value that the code computed once: Data.
	EventSideEffectRecorded EventKind = "SideEffectRecorded"

	// EventCompensationPushed adds an undo step ([turnstone.Context.Compensate]).
	EventCompensationPushed EventKind = "CompensationPushed"
	// EventCompensationStarted fixes how the execution ends, and its undo steps run: Failure.
	EventCompensationStarted EventKind = "CompensationStarted"
	// EventCompensationFailed says that an undo step failed, or was not run for want of time: Failure, and Source is the
	// event that added the step, 0 for that of the registration.
	EventCompensationFailed EventKind = "CompensationFailed"

	// EventStatusUpdated sets the custom status: Data is its text, nil if it resets it.
	EventStatusUpdated EventKind = "CustomStatusUpdated"

	// EventKVSet sets a key of the key-value store: Name is the key, Data the value.
	EventKVSet EventKind = "KeyValueSet"
	// EventKVCleared removes a key: Name.
	EventKVCleared EventKind = "KeyValueCleared"
	// EventKVAllCleared removes all keys.
	EventKVAllCleared EventKind = "KeyValuesCleared"

	// EventUnknown is of a kind that this version does not know: a newer one has recorded it.
	EventUnknown EventKind = "Unknown"
)

// turnOf shows a recorded turn of an instance.
func turnOf(instance string, s replay.Segment, codec turnstone.Codec) Turn {
	t := Turn{Number: s.Header.GetTurn(), Time: moment(s.Header.GetTimeMs()), PanicStack: s.Header.GetPanicStack()}
	for _, e := range s.Events {
		shown := Event{ID: e.GetId(), Kind: EventKind(replay.KindName(e)), Time: t.Time, Source: e.GetSource()}
		shown.fill(e, codec)
		if c := e.GetSubOrchestrationScheduled(); c != nil {
			shown.Instance = replay.ChildID(instance, c.GetInstance(), c.GetOwnId())
		}
		t.Events = append(t.Events, shown)
	}
	return t
}

// fill takes what the kind records.
func (e *Event) fill(recorded *turnpb.Event, codec turnstone.Codec) {
	switch k := recorded.GetKind().(type) {
	case *turnpb.Event_Started:
		s := k.Started
		e.Name, e.Version, e.Data, e.Instance = s.GetName(), s.GetVersion(), s.GetInput(), s.GetParent().GetInstance()
	case *turnpb.Event_Completed:
		e.Data = k.Completed.GetOutput()
	case *turnpb.Event_Failed:
		e.Failure = author.Failure(k.Failed.GetFailure(), codec)
	case *turnpb.Event_ContinuedAsNew:
		e.Data, e.Version = k.ContinuedAsNew.GetInput(), k.ContinuedAsNew.GetVersion()
	case *turnpb.Event_CancelRequested:
		e.Reason = k.CancelRequested.GetReason()
	case *turnpb.Event_ActivityScheduled:
		e.Name, e.Data = k.ActivityScheduled.GetName(), k.ActivityScheduled.GetInput()
	case *turnpb.Event_ActivityCompleted:
		e.Data = k.ActivityCompleted.GetResult()
	case *turnpb.Event_ActivityFailed:
		e.Failure = author.Failure(k.ActivityFailed.GetFailure(), codec)
	case *turnpb.Event_ActivityCancelRequested:
		e.Reason = k.ActivityCancelRequested.GetReason()
	case *turnpb.Event_TimerCreated:
		e.Due = moment(k.TimerCreated.GetFireAtMs())
	case *turnpb.Event_TimerFired:
		e.Due = moment(k.TimerFired.GetFireAtMs())
	default:
		e.fillOthers(recorded, codec)
	}
}

// fillOthers takes what is about events, other instances, and what the code decided once.
func (e *Event) fillOthers(recorded *turnpb.Event, codec turnstone.Codec) {
	switch k := recorded.GetKind().(type) {
	case *turnpb.Event_ExternalSubscribed:
		e.Name = k.ExternalSubscribed.GetName()
	case *turnpb.Event_ExternalEvent:
		e.Name, e.Data = k.ExternalEvent.GetName(), k.ExternalEvent.GetData()
	case *turnpb.Event_ExternalSubscribedCancelled:
		e.Reason = k.ExternalSubscribedCancelled.GetReason()
	case *turnpb.Event_SubOrchestrationScheduled:
		s := k.SubOrchestrationScheduled
		e.Name, e.Data = s.GetName(), s.GetInput()
	case *turnpb.Event_SubOrchestrationCompleted:
		e.Data = k.SubOrchestrationCompleted.GetResult()
	case *turnpb.Event_SubOrchestrationFailed:
		e.Failure = author.Failure(k.SubOrchestrationFailed.GetFailure(), codec)
	case *turnpb.Event_SubOrchestrationCancelRequested:
		e.Reason = k.SubOrchestrationCancelRequested.GetReason()
	case *turnpb.Event_OrchestrationChained:
		c := k.OrchestrationChained
		e.Name, e.Instance, e.Data = c.GetName(), c.GetInstance(), c.GetInput()
	case *turnpb.Event_PatchMarked:
		e.Name = k.PatchMarked.GetId()
	case *turnpb.Event_SideEffectRecorded:
		e.Data = k.SideEffectRecorded.GetValue()
	case *turnpb.Event_CompensationStarted:
		e.Failure = author.Failure(k.CompensationStarted.GetFailure(), codec)
	case *turnpb.Event_CompensationFailed:
		e.Failure, e.Source = author.Failure(k.CompensationFailed.GetFailure(), codec), k.CompensationFailed.GetPushed()
	default:
		e.fillState(recorded, codec)
	}
}

// fillState takes what is about queues and about what the instance shows to others.
func (e *Event) fillState(recorded *turnpb.Event, codec turnstone.Codec) {
	switch k := recorded.GetKind().(type) {
	case *turnpb.Event_QueueSubscribed:
		e.Name = k.QueueSubscribed.GetName()
	case *turnpb.Event_QueueEventDelivered:
		e.Name, e.Data = k.QueueEventDelivered.GetName(), k.QueueEventDelivered.GetData()
	case *turnpb.Event_QueueSubscriptionCancelled:
		e.Reason = k.QueueSubscriptionCancelled.GetReason()
	case *turnpb.Event_CustomStatusUpdated:
		if text := k.CustomStatusUpdated.Status; text != nil {
			e.Data = []byte(*text)
		}
	case *turnpb.Event_KeyValueSet:
		e.Name, e.Data = k.KeyValueSet.GetKey(), k.KeyValueSet.GetValue()
	case *turnpb.Event_KeyValueCleared:
		e.Name = k.KeyValueCleared.GetKey()
	default:
		e.fillSends(recorded, codec)
	}
}

// fillSends takes what is about sends to other instances, and waits for their end.
func (e *Event) fillSends(recorded *turnpb.Event, codec turnstone.Codec) {
	switch k := recorded.GetKind().(type) {
	case *turnpb.Event_SendScheduled:
		s := k.SendScheduled
		e.Instance, e.Name, e.Data, e.Queue = s.GetInstance(), s.GetName(), s.GetData(), s.GetKind() == turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE
	case *turnpb.Event_SendEnded:
		e.Outcome = sendOutcomes[k.SendEnded.GetOutcome()]
	case *turnpb.Event_AwaitScheduled:
		e.Instance = k.AwaitScheduled.GetInstance()
	case *turnpb.Event_AwaitEnded:
		switch end := k.AwaitEnded.GetEnd().(type) {
		case *turnpb.AwaitEnded_Completed:
			e.Outcome, e.Data = OutcomeCompleted, end.Completed.GetOutput()
		case *turnpb.AwaitEnded_Failed:
			e.Outcome, e.Failure = OutcomeFailed, author.Failure(end.Failed.GetFailure(), codec)
		default:
			e.Outcome = OutcomeNotFound
		}
	}
}

var sendOutcomes = map[turnpb.SendOutcome]Outcome{
	turnpb.SendOutcome_SEND_OUTCOME_DELIVERED: OutcomeDelivered, turnpb.SendOutcome_SEND_OUTCOME_NOT_FOUND: OutcomeNotFound,
	turnpb.SendOutcome_SEND_OUTCOME_ENDED: OutcomeEnded, turnpb.SendOutcome_SEND_OUTCOME_BUSY: OutcomeBusy,
}
