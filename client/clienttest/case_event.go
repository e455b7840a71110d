package clienttest

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/localport"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// A_history_shows_what_was_recorded records an event of each kind that has a constant.
func (s suite) A_history_shows_what_was_recorded(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	w.start("i")
	no := failure.Application(turnpb.ApplicationKind_APPLICATION_KIND_ACTIVITY_FAILED, "no")
	due := time.UnixMilli(1_800_000_000_000).UTC()
	w.turn("i", persistence.OutcomeRunning,
		&turnpb.Event{Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{
			Name: "O", Version: "1.2.0", Input: []byte("in"), Parent: &turnpb.Parent{Instance: "p"}}}},
		&turnpb.Event{Kind: &turnpb.Event_ActivityScheduled{ActivityScheduled: &turnpb.ActivityScheduled{Name: "A", Input: []byte("in")}}},
		&turnpb.Event{Kind: &turnpb.Event_TimerCreated{TimerCreated: &turnpb.TimerCreated{FireAtMs: due.UnixMilli()}}},
		&turnpb.Event{Kind: &turnpb.Event_ExternalSubscribed{ExternalSubscribed: &turnpb.ExternalSubscribed{Name: "E"}}},
		&turnpb.Event{Kind: &turnpb.Event_SubOrchestrationScheduled{SubOrchestrationScheduled: &turnpb.SubOrchestrationScheduled{
			Name: "C", Instance: "sub::5", Input: []byte("in")}}},
		&turnpb.Event{Kind: &turnpb.Event_SubOrchestrationScheduled{SubOrchestrationScheduled: &turnpb.SubOrchestrationScheduled{
			Name: "C", Instance: "sub::own", OwnId: true}}},
		&turnpb.Event{Kind: &turnpb.Event_OrchestrationChained{OrchestrationChained: &turnpb.OrchestrationChained{
			Name: "D", Instance: "d", Input: []byte("in")}}},
		&turnpb.Event{Kind: &turnpb.Event_PatchMarked{PatchMarked: &turnpb.PatchMarked{Id: "new"}}},
		&turnpb.Event{Kind: &turnpb.Event_SideEffectRecorded{SideEffectRecorded: &turnpb.SideEffectRecorded{Value: []byte("data")}}},
		&turnpb.Event{Kind: &turnpb.Event_CompensationPushed{CompensationPushed: &turnpb.CompensationPushed{}}},
		&turnpb.Event{Kind: &turnpb.Event_CompensationStarted{CompensationStarted: &turnpb.CompensationStarted{Failure: no}}},
		&turnpb.Event{Kind: &turnpb.Event_CompensationFailed{CompensationFailed: &turnpb.CompensationFailed{Pushed: 10, Failure: no}}},
		&turnpb.Event{}, // a kind that this version does not know comes out of the store as none
		&turnpb.Event{Kind: &turnpb.Event_QueueSubscribed{QueueSubscribed: &turnpb.QueueSubscribed{Name: "Q"}}},
		&turnpb.Event{Kind: &turnpb.Event_QueueEventDelivered{QueueEventDelivered: &turnpb.QueueEventDelivered{Name: "Q", Data: []byte("data")}}},
		&turnpb.Event{Source: 9, Kind: &turnpb.Event_QueueSubscriptionCancelled{QueueSubscriptionCancelled: &turnpb.QueueSubscriptionCancelled{Reason: "why"}}},
		&turnpb.Event{Kind: &turnpb.Event_CustomStatusUpdated{CustomStatusUpdated: &turnpb.CustomStatusUpdated{Status: new("half")}}},
		&turnpb.Event{Kind: &turnpb.Event_CustomStatusUpdated{CustomStatusUpdated: &turnpb.CustomStatusUpdated{}}},
		&turnpb.Event{Kind: &turnpb.Event_KeyValueSet{KeyValueSet: &turnpb.KeyValueSet{Key: "K", Value: []byte("v")}}},
		&turnpb.Event{Kind: &turnpb.Event_KeyValueCleared{KeyValueCleared: &turnpb.KeyValueCleared{Key: "K"}}},
		&turnpb.Event{Kind: &turnpb.Event_KeyValuesCleared{KeyValuesCleared: &turnpb.KeyValuesCleared{}}},
		&turnpb.Event{Kind: &turnpb.Event_SendScheduled{SendScheduled: &turnpb.SendScheduled{
			Instance: "r", Kind: turnpb.ArrivalKind_ARRIVAL_KIND_EVENT, Name: "E", Data: []byte("data")}}},
		&turnpb.Event{Kind: &turnpb.Event_SendScheduled{SendScheduled: &turnpb.SendScheduled{
			Instance: "r", Kind: turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE, Name: "Q", Data: []byte("data")}}},
		&turnpb.Event{Kind: &turnpb.Event_AwaitScheduled{AwaitScheduled: &turnpb.AwaitScheduled{Instance: "r"}}},
	)
	w.turn("i", persistence.OutcomeFailed,
		&turnpb.Event{Source: 2, Kind: &turnpb.Event_ActivityCompleted{ActivityCompleted: &turnpb.ActivityCompleted{Result: []byte("out")}}},
		&turnpb.Event{Source: 2, Kind: &turnpb.Event_ActivityFailed{ActivityFailed: &turnpb.ActivityFailed{Failure: no}}},
		&turnpb.Event{Source: 2, Kind: &turnpb.Event_ActivityCancelRequested{ActivityCancelRequested: &turnpb.ActivityCancelRequested{Reason: "why"}}},
		&turnpb.Event{Source: 3, Kind: &turnpb.Event_TimerFired{TimerFired: &turnpb.TimerFired{FireAtMs: due.UnixMilli()}}},
		&turnpb.Event{Kind: &turnpb.Event_ExternalEvent{ExternalEvent: &turnpb.ExternalEvent{Name: "E", Data: []byte("data")}}},
		&turnpb.Event{Source: 4, Kind: &turnpb.Event_ExternalSubscribedCancelled{ExternalSubscribedCancelled: &turnpb.ExternalSubscribedCancelled{Reason: "why"}}},
		&turnpb.Event{Source: 5, Kind: &turnpb.Event_SubOrchestrationCompleted{SubOrchestrationCompleted: &turnpb.SubOrchestrationCompleted{Result: []byte("out")}}},
		&turnpb.Event{Source: 5, Kind: &turnpb.Event_SubOrchestrationFailed{SubOrchestrationFailed: &turnpb.SubOrchestrationFailed{Failure: no}}},
		&turnpb.Event{Source: 5, Kind: &turnpb.Event_SubOrchestrationCancelRequested{SubOrchestrationCancelRequested: &turnpb.SubOrchestrationCancelRequested{Reason: "why"}}},
		sendEnded(22, turnpb.SendOutcome_SEND_OUTCOME_DELIVERED), sendEnded(22, turnpb.SendOutcome_SEND_OUTCOME_NOT_FOUND),
		sendEnded(22, turnpb.SendOutcome_SEND_OUTCOME_ENDED), sendEnded(23, turnpb.SendOutcome_SEND_OUTCOME_BUSY),
		awaitEnded(24, &turnpb.AwaitEnded{End: &turnpb.AwaitEnded_Completed{Completed: &turnpb.OrchestrationCompleted{Output: []byte("out")}}}),
		awaitEnded(24, &turnpb.AwaitEnded{End: &turnpb.AwaitEnded_Failed{Failed: &turnpb.OrchestrationFailed{Failure: no}}}),
		awaitEnded(24, &turnpb.AwaitEnded{}),
		&turnpb.Event{Kind: &turnpb.Event_CancelRequested{CancelRequested: &turnpb.OrchestrationCancelRequested{Reason: "why"}}},
		&turnpb.Event{Kind: &turnpb.Event_Completed{Completed: &turnpb.OrchestrationCompleted{Output: []byte("out")}}},
		&turnpb.Event{Kind: &turnpb.Event_ContinuedAsNew{ContinuedAsNew: &turnpb.OrchestrationContinuedAsNew{Input: []byte("in"), Version: "2.0.0"}}},
		&turnpb.Event{Kind: &turnpb.Event_Failed{Failed: &turnpb.OrchestrationFailed{Failure: no}}},
	)
	want := [][]client.Event{{
		{Kind: client.EventStarted, Name: "O", Version: "1.2.0", Data: []byte("in"), Instance: "p"},
		{Kind: client.EventActivityScheduled, Name: "A", Data: []byte("in")},
		{Kind: client.EventTimerCreated, Due: due},
		{Kind: client.EventSubscribed, Name: "E"},
		{Kind: client.EventChildScheduled, Name: "C", Instance: "i::sub::5", Data: []byte("in")},
		{Kind: client.EventChildScheduled, Name: "C", Instance: "sub::own"},
		{Kind: client.EventDetachedStarted, Name: "D", Instance: "d", Data: []byte("in")},
		{Kind: client.EventPatchMarked, Name: "new"},
		{Kind: client.EventSideEffectRecorded, Data: []byte("data")},
		{Kind: client.EventCompensationPushed},
		{Kind: client.EventCompensationStarted},
		{Kind: client.EventCompensationFailed, Source: 10},
		{Kind: client.EventUnknown},
		{Kind: client.EventDequeued, Name: "Q"},
		{Kind: client.EventEnqueued, Name: "Q", Data: []byte("data")},
		{Kind: client.EventDequeuedCancelled, Source: 9, Reason: "why"},
		{Kind: client.EventStatusUpdated, Data: []byte("half")},
		{Kind: client.EventStatusUpdated},
		{Kind: client.EventKVSet, Name: "K", Data: []byte("v")},
		{Kind: client.EventKVCleared, Name: "K"},
		{Kind: client.EventKVAllCleared},
		{Kind: client.EventSendScheduled, Instance: "r", Name: "E", Data: []byte("data")},
		{Kind: client.EventSendScheduled, Instance: "r", Name: "Q", Data: []byte("data"), Queue: true},
		{Kind: client.EventAwaitScheduled, Instance: "r"},
	}, {
		{Kind: client.EventActivityCompleted, Source: 2, Data: []byte("out")},
		{Kind: client.EventActivityFailed, Source: 2},
		{Kind: client.EventActivityCancelRequested, Source: 2, Reason: "why"},
		{Kind: client.EventTimerFired, Source: 3, Due: due},
		{Kind: client.EventRaised, Name: "E", Data: []byte("data")},
		{Kind: client.EventSubscribedCancelled, Source: 4, Reason: "why"},
		{Kind: client.EventChildCompleted, Source: 5, Data: []byte("out")},
		{Kind: client.EventChildFailed, Source: 5},
		{Kind: client.EventChildCancelRequested, Source: 5, Reason: "why"},
		{Kind: client.EventSendEnded, Source: 22, Outcome: client.OutcomeDelivered},
		{Kind: client.EventSendEnded, Source: 22, Outcome: client.OutcomeNotFound},
		{Kind: client.EventSendEnded, Source: 22, Outcome: client.OutcomeEnded},
		{Kind: client.EventSendEnded, Source: 23, Outcome: client.OutcomeBusy},
		{Kind: client.EventAwaitEnded, Source: 24, Outcome: client.OutcomeCompleted, Data: []byte("out")},
		{Kind: client.EventAwaitEnded, Source: 24, Outcome: client.OutcomeFailed},
		{Kind: client.EventAwaitEnded, Source: 24, Outcome: client.OutcomeNotFound},
		{Kind: client.EventCancelRequested, Reason: "why"},
		{Kind: client.EventCompleted, Data: []byte("out")},
		{Kind: client.EventContinuedAsNew, Data: []byte("in"), Version: "2.0.0"},
		{Kind: client.EventFailed},
	}}
	turns, err := w.c.History(t.Context(), "i", 0)
	if err != nil || len(turns) != len(want) {
		t.Fatalf("%d turns, %v", len(turns), err)
	}
	id := uint64(0)
	for i, turn := range turns {
		if turn.Number != uint64(i)+1 || turn.Time.IsZero() || len(turn.Events) != len(want[i]) {
			t.Fatalf("turn %d is %+v", i+1, turn)
		}
		for j, got := range turn.Events {
			id++
			expected := want[i][j]
			expected.ID, expected.Time = id, turn.Time
			failed := got.Failure
			if got.Failure = nil; len(got.Data) == 0 {
				got.Data = nil
			}
			if !reflect.DeepEqual(got, expected) {
				t.Errorf("event %d is %+v, want %+v", id, got, expected)
			}
			fails := bytes.HasSuffix([]byte(got.Kind), []byte("Failed")) || got.Kind == client.EventCompensationStarted ||
				got.Outcome == client.OutcomeFailed
			if fails != (failed != nil) || fails && failed.Error() != "no" {
				t.Errorf("the failure of event %d, %s, is %v", id, got.Kind, failed)
			}
		}
	}
}

// The_kind_of_an_event_is_named_as_its_format_does looks at every kind that the format has.
func (s suite) The_kind_of_an_event_is_named_as_its_format_does(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	w.start("i")
	var events []*turnpb.Event
	var names []protoreflect.Name
	fields := (&turnpb.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	for i := range fields.Len() {
		e := &turnpb.Event{}
		m := e.ProtoReflect()
		m.Set(fields.Get(i), m.NewField(fields.Get(i)))
		events, names = append(events, e), append(names, fields.Get(i).Message().Name())
	}
	w.turn("i", persistence.OutcomeRunning, events...)
	turns, err := w.c.History(t.Context(), "i", 0)
	if err != nil || len(turns) != 1 || len(turns[0].Events) != len(names) {
		t.Fatalf("%+v, %v", turns, err)
	}
	for i, e := range turns[0].Events {
		if string(e.Kind) != string(names[i]) {
			t.Errorf("a %s is shown as %s", names[i], e.Kind)
		}
	}
}

func sendEnded(source uint64, o turnpb.SendOutcome) *turnpb.Event {
	return &turnpb.Event{Source: source, Kind: &turnpb.Event_SendEnded{SendEnded: &turnpb.SendEnded{Outcome: o}}}
}

func awaitEnded(source uint64, end *turnpb.AwaitEnded) *turnpb.Event {
	return &turnpb.Event{Source: source, Kind: &turnpb.Event_AwaitEnded{AwaitEnded: end}}
}

// notShown are the recorded fields that a client does not show.
var notShown = []protoreflect.FullName{
	"OrchestrationStarted.carried", "OrchestrationStarted.initial_custom_status", "OrchestrationStarted.headers",
	"OrchestrationStarted.attributes", "OrchestrationStarted.cleanup", "OrchestrationStarted.execution_timeout_ms",
	"OrchestrationStarted.base", "ActivityScheduled.session", "ActivityScheduled.tag", "ActivityScheduled.attempt",
	"ActivityScheduled.first_event", "ActivityScheduled.timeouts", "ActivityScheduled.last_heartbeat", "ActivityScheduled.headers",
	"ActivityFailed.timeout", "ActivityFailed.last_heartbeat", "ExternalSubscribed.mode", "SubOrchestrationScheduled.policy",
	"SubOrchestrationScheduled.own_id", "KeyValueSet.last_updated_at_ms", "PatchMarked.deprecated", "CompensationStarted.cause",
	"CompensationStarted.stop", "CompensationFailed.stop",
}

// A_recorded_field_is_shown sets each field of each kind by itself. A field that is recorded is shown, or it is one of
// notShown.
func (s suite) A_recorded_field_is_shown(t *testing.T) {
	w := s.world(t, 1, localport.Options{})
	w.start("i")
	var events []*turnpb.Event
	var names []protoreflect.FullName
	kinds := (&turnpb.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	for i := range kinds.Len() {
		fields := kinds.Get(i).Message().Fields()
		empty := &turnpb.Event{}
		empty.ProtoReflect().Set(kinds.Get(i), empty.ProtoReflect().NewField(kinds.Get(i)))
		for j := range fields.Len() {
			e := proto.Clone(empty).(*turnpb.Event)
			setSome(e.ProtoReflect().Mutable(kinds.Get(i)).Message(), fields.Get(j))
			name := kinds.Get(i).Message().Name() + "." + fields.Get(j).Name()
			events, names = append(events, empty, e), append(names, protoreflect.FullName(name))
		}
	}
	w.turn("i", persistence.OutcomeRunning, events...)
	turns, err := w.c.History(t.Context(), "i", 0)
	if err != nil || len(turns) != 1 || len(turns[0].Events) != len(events) {
		t.Fatalf("%+v, %v", turns, err)
	}
	for i, name := range names {
		empty, set := turns[0].Events[2*i], turns[0].Events[2*i+1]
		empty.ID, set.ID = 0, 0
		if shown := !reflect.DeepEqual(empty, set); shown == slices.Contains(notShown, name) {
			t.Errorf("the field %s is shown: %t; a client's Event shows it, or notShown has it", name, shown)
		}
	}
}

// setSome gives a field a value that is not its zero value.
func setSome(m protoreflect.Message, f protoreflect.FieldDescriptor) {
	switch {
	case f.IsList():
		m.Mutable(f).List().AppendMutable()
	case f.Message() != nil:
		inner := m.Mutable(f).Message()
		for i := range inner.Descriptor().Fields().Len() {
			if of := inner.Descriptor().Fields().Get(i); of.Kind() == protoreflect.StringKind {
				inner.Set(of, protoreflect.ValueOfString("text"))
			}
		}
		if failed, ok := inner.Interface().(*turnpb.Failure); ok {
			proto.Merge(failed, failure.Application(turnpb.ApplicationKind_APPLICATION_KIND_ACTIVITY_FAILED, "no"))
		}
	default:
		m.Set(f, map[protoreflect.Kind]protoreflect.Value{
			protoreflect.StringKind: protoreflect.ValueOfString("text"), protoreflect.BytesKind: protoreflect.ValueOfBytes([]byte("data")),
			protoreflect.BoolKind: protoreflect.ValueOfBool(true), protoreflect.EnumKind: protoreflect.ValueOfEnum(2),
			protoreflect.Int64Kind: protoreflect.ValueOfInt64(7), protoreflect.Uint64Kind: protoreflect.ValueOfUint64(7),
			protoreflect.Uint32Kind: protoreflect.ValueOfUint32(7),
		}[f.Kind()])
	}
}
