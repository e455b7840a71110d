package replay

import (
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// The reasons that breadcrumbs carry.
const (
	// ReasonDropped: the code cancelled the operation, by Cancel, Race, a scope or its return.
	ReasonDropped = "dropped_future"
	// ReasonTerminal: the execution ended while a wait was open.
	ReasonTerminal = "orchestration_terminal"
	// ReasonCompleted, ReasonFailed, ReasonContinued: the execution ended so while an activity was open.
	ReasonCompleted = "orchestration_terminal_completed"
	ReasonFailed    = "orchestration_terminal_failed"
	ReasonContinued = "orchestration_terminal_continued_as_new"
)

// The reasons that a cancelled child is given.
const (
	childDropped   = "parent dropped sub-orchestration future"
	childCancelled = "parent canceled"
	childEnded     = "parent ended"
)

// KindName is the name of an event's kind, for example ActivityScheduled; "Unknown" for a kind that this engine does
// not know.
func KindName(e *turnpb.Event) string {
	switch e.GetKind().(type) {
	case *turnpb.Event_Started:
		return "OrchestrationStarted"
	case *turnpb.Event_Completed:
		return "OrchestrationCompleted"
	case *turnpb.Event_Failed:
		return "OrchestrationFailed"
	case *turnpb.Event_ContinuedAsNew:
		return "OrchestrationContinuedAsNew"
	case *turnpb.Event_CancelRequested:
		return "OrchestrationCancelRequested"
	case *turnpb.Event_ActivityScheduled:
		return "ActivityScheduled"
	case *turnpb.Event_ActivityCompleted:
		return "ActivityCompleted"
	case *turnpb.Event_ActivityFailed:
		return "ActivityFailed"
	case *turnpb.Event_ActivityCancelRequested:
		return "ActivityCancelRequested"
	case *turnpb.Event_TimerCreated:
		return "TimerCreated"
	case *turnpb.Event_TimerFired:
		return "TimerFired"
	case *turnpb.Event_ExternalSubscribed:
		return "ExternalSubscribed"
	case *turnpb.Event_ExternalEvent:
		return "ExternalEvent"
	case *turnpb.Event_ExternalSubscribedCancelled:
		return "ExternalSubscribedCancelled"
	default:
		return kindNameRest(e)
	}
}

func kindNameRest(e *turnpb.Event) string {
	switch e.GetKind().(type) {
	case *turnpb.Event_QueueSubscribed:
		return "QueueSubscribed"
	case *turnpb.Event_QueueEventDelivered:
		return "QueueEventDelivered"
	case *turnpb.Event_QueueSubscriptionCancelled:
		return "QueueSubscriptionCancelled"
	case *turnpb.Event_SubOrchestrationScheduled:
		return "SubOrchestrationScheduled"
	case *turnpb.Event_SubOrchestrationCompleted:
		return "SubOrchestrationCompleted"
	case *turnpb.Event_SubOrchestrationFailed:
		return "SubOrchestrationFailed"
	case *turnpb.Event_SubOrchestrationCancelRequested:
		return "SubOrchestrationCancelRequested"
	case *turnpb.Event_OrchestrationChained:
		return "OrchestrationChained"
	case *turnpb.Event_CustomStatusUpdated:
		return "CustomStatusUpdated"
	case *turnpb.Event_KeyValueSet:
		return "KeyValueSet"
	case *turnpb.Event_KeyValueCleared:
		return "KeyValueCleared"
	case *turnpb.Event_KeyValuesCleared:
		return "KeyValuesCleared"
	case *turnpb.Event_SendScheduled:
		return "SendScheduled"
	case *turnpb.Event_SendEnded:
		return "SendEnded"
	case *turnpb.Event_AwaitScheduled:
		return "AwaitScheduled"
	case *turnpb.Event_AwaitEnded:
		return "AwaitEnded"
	case *turnpb.Event_PatchMarked:
		return "PatchMarked"
	case *turnpb.Event_SideEffectRecorded:
		return "SideEffectRecorded"
	case *turnpb.Event_CompensationPushed:
		return "CompensationPushed"
	case *turnpb.Event_CompensationStarted:
		return "CompensationStarted"
	case *turnpb.Event_CompensationFailed:
		return "CompensationFailed"
	default:
		return "Unknown"
	}
}

// Terminal reports whether an event ends an execution.
func Terminal(e *turnpb.Event) bool {
	switch e.GetKind().(type) {
	case *turnpb.Event_Completed, *turnpb.Event_Failed, *turnpb.Event_ContinuedAsNew:
		return true
	default:
		return false
	}
}

// The constructors below make an event, its kind and its body in one allocation: they are on the hot path.

func newStarted(id uint64, version string, s *turnpb.StartOrchestration) *turnpb.Event {
	b := &struct {
		e turnpb.Event
		k turnpb.Event_Started
		p turnpb.OrchestrationStarted
	}{}
	b.p.Name, b.p.Version, b.p.Input, b.p.Parent = s.GetName(), version, s.GetInput(), s.GetParent()
	b.p.Carried = s.GetCarried()
	b.p.InitialCustomStatus = s.InitialCustomStatus
	b.p.ExecutionTimeoutMs = s.GetExecutionTimeoutMs()
	b.k.Started = &b.p
	b.e.Id, b.e.Kind = id, &b.k
	return &b.e
}

func newActivityScheduled(id uint64, f *Future) *turnpb.Event {
	b := &struct {
		e turnpb.Event
		k turnpb.Event_ActivityScheduled
		p turnpb.ActivityScheduled
	}{}
	b.p.Name, b.p.Input = f.name, f.input
	if more := f.more; more != nil {
		b.p.Session, b.p.Tag = more.session, more.tag
		more.call.record(&b.p)
	}
	b.k.ActivityScheduled = &b.p
	b.e.Id, b.e.Kind = id, &b.k
	return &b.e
}

func newActivityCompleted(id, source uint64, result []byte) *turnpb.Event {
	b := &struct {
		e turnpb.Event
		k turnpb.Event_ActivityCompleted
		p turnpb.ActivityCompleted
	}{}
	b.p.Result = result
	b.k.ActivityCompleted = &b.p
	b.e.Id, b.e.Source, b.e.Kind = id, source, &b.k
	return &b.e
}

func newTimerCreated(id uint64, f *Future) *turnpb.Event {
	b := &struct {
		e turnpb.Event
		k turnpb.Event_TimerCreated
		p turnpb.TimerCreated
	}{}
	b.p.FireAtMs = f.fireAtMs
	b.k.TimerCreated = &b.p
	b.e.Id, b.e.Kind = id, &b.k
	return &b.e
}

func newTimerFired(id, source uint64, fireAtMs int64) *turnpb.Event {
	b := &struct {
		e turnpb.Event
		k turnpb.Event_TimerFired
		p turnpb.TimerFired
	}{}
	b.p.FireAtMs = fireAtMs
	b.k.TimerFired = &b.p
	b.e.Id, b.e.Source, b.e.Kind = id, source, &b.k
	return &b.e
}

func newExternalEvent(id uint64, name string, data []byte) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_ExternalEvent{
		ExternalEvent: &turnpb.ExternalEvent{Name: name, Data: data}}}
}

func newQueueEvent(id uint64, name string, data []byte) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_QueueEventDelivered{
		QueueEventDelivered: &turnpb.QueueEventDelivered{Name: name, Data: data}}}
}

// newScheduled makes the event of an emitted action; nil for continue-as-new, which has none of its own.
func newScheduled(id uint64, f *Future) *turnpb.Event {
	e := &turnpb.Event{Id: id}
	switch f.kind {
	case opActivity:
		return newActivityScheduled(id, f)
	case opTimer:
		return newTimerCreated(id, f)
	case opWait:
		e.Kind = &turnpb.Event_ExternalSubscribed{ExternalSubscribed: &turnpb.ExternalSubscribed{Name: f.name, Mode: f.mode}}
	case opQueue:
		e.Kind = &turnpb.Event_QueueSubscribed{QueueSubscribed: &turnpb.QueueSubscribed{Name: f.name}}
	case opChild:
		e.Kind = &turnpb.Event_SubOrchestrationScheduled{SubOrchestrationScheduled: &turnpb.SubOrchestrationScheduled{
			Name: f.name, Instance: f.details().instance, Input: f.input, Policy: f.details().policy, OwnId: f.details().own}}
	case opDetached:
		e.Kind = &turnpb.Event_OrchestrationChained{OrchestrationChained: &turnpb.OrchestrationChained{
			Name: f.name, Instance: f.details().instance, Input: f.input}}
	case opSend:
		e.Kind = &turnpb.Event_SendScheduled{SendScheduled: &turnpb.SendScheduled{
			Instance: f.details().instance, Kind: f.details().arrival, Name: f.name, Data: f.input}}
	case opAwait:
		e.Kind = &turnpb.Event_AwaitScheduled{AwaitScheduled: &turnpb.AwaitScheduled{Instance: f.details().instance}}
	case opStatus:
		e.Kind = &turnpb.Event_CustomStatusUpdated{CustomStatusUpdated: &turnpb.CustomStatusUpdated{Status: f.details().status}}
	case opKVSet:
		e.Kind = &turnpb.Event_KeyValueSet{KeyValueSet: &turnpb.KeyValueSet{
			Key: f.name, Value: f.input, LastUpdatedAtMs: f.fireAtMs}}
	case opKVClear:
		e.Kind = &turnpb.Event_KeyValueCleared{KeyValueCleared: &turnpb.KeyValueCleared{Key: f.name}}
	case opKVClearAll:
		e.Kind = &turnpb.Event_KeyValuesCleared{KeyValuesCleared: &turnpb.KeyValuesCleared{}}
	case opPatch:
		e.Kind = &turnpb.Event_PatchMarked{PatchMarked: &turnpb.PatchMarked{Id: f.name, Deprecated: f.deprecated}}
	case opSideEffect:
		e.Kind = &turnpb.Event_SideEffectRecorded{SideEffectRecorded: &turnpb.SideEffectRecorded{Value: f.input}}
	case opPush:
		e.Kind = &turnpb.Event_CompensationPushed{CompensationPushed: &turnpb.CompensationPushed{}}
	case opUndone:
		e.Kind = &turnpb.Event_CompensationFailed{CompensationFailed: f.details().result.(*turnpb.CompensationFailed)}
	default:
		return nil
	}
	return e
}

// newBreadcrumb records that an open operation was given up.
func newBreadcrumb(id, source uint64, kind opKind, reason string) *turnpb.Event {
	e := &turnpb.Event{Id: id, Source: source}
	switch kind {
	case opActivity:
		e.Kind = &turnpb.Event_ActivityCancelRequested{
			ActivityCancelRequested: &turnpb.ActivityCancelRequested{Reason: reason}}
	case opWait:
		e.Kind = &turnpb.Event_ExternalSubscribedCancelled{
			ExternalSubscribedCancelled: &turnpb.ExternalSubscribedCancelled{Reason: reason}}
	case opQueue:
		e.Kind = &turnpb.Event_QueueSubscriptionCancelled{
			QueueSubscriptionCancelled: &turnpb.QueueSubscriptionCancelled{Reason: reason}}
	default:
		e.Kind = &turnpb.Event_SubOrchestrationCancelRequested{
			SubOrchestrationCancelRequested: &turnpb.SubOrchestrationCancelRequested{Reason: reason}}
	}
	return e
}
