package replay_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		checks := "1500"
		if testing.Short() {
			checks = "300"
		}
		if err := flag.Set("rapid.checks", checks); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// The events of a history, in the notation of the conformance list.

func evS(id uint64) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{
		Name: "Test", Version: "1.0.0", Input: []byte("input")}}}
}

func evAS(id uint64, name, input string) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_ActivityScheduled{ActivityScheduled: &turnpb.ActivityScheduled{
		Name: name, Input: []byte(input)}}}
}

func tagged(e *turnpb.Event, tag string) *turnpb.Event {
	e.GetActivityScheduled().Tag = &tag
	return e
}

func evAC(id, source uint64, result string) *turnpb.Event {
	return &turnpb.Event{Id: id, Source: source, Kind: &turnpb.Event_ActivityCompleted{
		ActivityCompleted: &turnpb.ActivityCompleted{Result: []byte(result)}}}
}

func evAF(id, source uint64, text string) *turnpb.Event {
	return &turnpb.Event{Id: id, Source: source, Kind: &turnpb.Event_ActivityFailed{
		ActivityFailed: &turnpb.ActivityFailed{Failure: activityFailed(text)}}}
}

func evACancel(id, source uint64, reason string) *turnpb.Event {
	return &turnpb.Event{Id: id, Source: source, Kind: &turnpb.Event_ActivityCancelRequested{
		ActivityCancelRequested: &turnpb.ActivityCancelRequested{Reason: reason}}}
}

func evTC(id uint64) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_TimerCreated{TimerCreated: &turnpb.TimerCreated{FireAtMs: 5}}}
}

func evTF(id, source uint64) *turnpb.Event {
	return &turnpb.Event{Id: id, Source: source, Kind: &turnpb.Event_TimerFired{TimerFired: &turnpb.TimerFired{FireAtMs: 5}}}
}

func evXS(id uint64, name string) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_ExternalSubscribed{ExternalSubscribed: &turnpb.ExternalSubscribed{
		Name: name, Mode: positional}}}
}

func evXE(id uint64, name, data string) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_ExternalEvent{ExternalEvent: &turnpb.ExternalEvent{
		Name: name, Data: []byte(data)}}}
}

func evSS(id uint64, name, instance, input string) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_SubOrchestrationScheduled{
		SubOrchestrationScheduled: &turnpb.SubOrchestrationScheduled{Name: name, Instance: instance, Input: []byte(input),
			Policy: turnpb.ChildPolicy_CHILD_POLICY_CANCEL}}}
}

func evSC(id, source uint64, result string) *turnpb.Event {
	return &turnpb.Event{Id: id, Source: source, Kind: &turnpb.Event_SubOrchestrationCompleted{
		SubOrchestrationCompleted: &turnpb.SubOrchestrationCompleted{Result: []byte(result)}}}
}

func evSF(id, source uint64, text string) *turnpb.Event {
	return &turnpb.Event{Id: id, Source: source, Kind: &turnpb.Event_SubOrchestrationFailed{
		SubOrchestrationFailed: &turnpb.SubOrchestrationFailed{Failure: activityFailed(text)}}}
}

func evSCancel(id, source uint64, reason string) *turnpb.Event {
	return &turnpb.Event{Id: id, Source: source, Kind: &turnpb.Event_SubOrchestrationCancelRequested{
		SubOrchestrationCancelRequested: &turnpb.SubOrchestrationCancelRequested{Reason: reason}}}
}

func evChained(id uint64, name, instance, input string) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_OrchestrationChained{OrchestrationChained: &turnpb.OrchestrationChained{
		Name: name, Instance: instance, Input: []byte(input)}}}
}

func evCancel(id uint64, reason string) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_CancelRequested{
		CancelRequested: &turnpb.OrchestrationCancelRequested{Reason: reason}}}
}

func evCompleted(id uint64, output string) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_Completed{
		Completed: &turnpb.OrchestrationCompleted{Output: []byte(output)}}}
}

func evFailed(id uint64, text string) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_Failed{Failed: &turnpb.OrchestrationFailed{Failure: activityFailed(text)}}}
}

func evContinued(id uint64) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_ContinuedAsNew{ContinuedAsNew: &turnpb.OrchestrationContinuedAsNew{}}}
}

func evKVSet(id uint64, key, value string) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_KeyValueSet{KeyValueSet: &turnpb.KeyValueSet{
		Key: key, Value: []byte(value), LastUpdatedAtMs: 7}}}
}

func evKVClear(id uint64, key string) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_KeyValueCleared{KeyValueCleared: &turnpb.KeyValueCleared{Key: key}}}
}

func evKVClearAll(id uint64) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_KeyValuesCleared{KeyValuesCleared: &turnpb.KeyValuesCleared{}}}
}

func evPatch(id uint64, patch string) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_PatchMarked{PatchMarked: &turnpb.PatchMarked{Id: patch}}}
}

func evSE(id uint64, value string) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_SideEffectRecorded{
		SideEffectRecorded: &turnpb.SideEffectRecorded{Value: []byte(value)}}}
}

const positional = turnpb.WaitMode_WAIT_MODE_POSITIONAL

func activityFailed(text string) *turnpb.Failure {
	return failure.Application(turnpb.ApplicationKind_APPLICATION_KIND_ACTIVITY_FAILED, text)
}

// The messages of a turn.

func msgStart() *turnpb.Message {
	return &turnpb.Message{Kind: &turnpb.Message_Start{Start: &turnpb.StartOrchestration{Name: "Test", Input: []byte("input")}}}
}

func msgAC(event uint64, result string) *turnpb.Message {
	return &turnpb.Message{Execution: 1, Event: event, Kind: &turnpb.Message_ActivityResult{
		ActivityResult: &turnpb.ActivityResult{Result: []byte(result)}}}
}

func msgAF(event uint64, f *turnpb.Failure) *turnpb.Message {
	return &turnpb.Message{Execution: 1, Event: event, Kind: &turnpb.Message_ActivityFailure{
		ActivityFailure: &turnpb.ActivityFailure{Failure: f}}}
}

func msgTF(event uint64) *turnpb.Message {
	return &turnpb.Message{Execution: 1, Event: event, Kind: &turnpb.Message_TimerElapsed{
		TimerElapsed: &turnpb.TimerElapsed{FireAtMs: 5}}}
}

func msgXE(name, data string) *turnpb.Message {
	return &turnpb.Message{Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: name, Data: []byte(data)}}}
}

func msgQ(name, data string) *turnpb.Message {
	return &turnpb.Message{Kind: &turnpb.Message_QueueMessage{QueueMessage: &turnpb.QueueMessage{Name: name, Data: []byte(data)}}}
}

func msgSC(event uint64, result string) *turnpb.Message {
	return &turnpb.Message{Execution: 1, Event: event, Kind: &turnpb.Message_ChildResult{
		ChildResult: &turnpb.ChildResult{Result: []byte(result)}}}
}

func msgSF(event uint64, f *turnpb.Failure) *turnpb.Message {
	return &turnpb.Message{Execution: 1, Event: event, Kind: &turnpb.Message_ChildFailure{
		ChildFailure: &turnpb.ChildFailure{Failure: f}}}
}

func msgCancel(reason string) *turnpb.Message {
	return &turnpb.Message{Kind: &turnpb.Message_Cancel{Cancel: &turnpb.CancelInstance{Reason: reason}}}
}

func inExecution(m *turnpb.Message, execution uint64) *turnpb.Message {
	m.Execution = execution
	return m
}

// config is the machine that the cases run.
func config(fn replay.Func) replay.Config {
	return replay.Config{Instance: "inst", Execution: 1, Name: "Test", Version: "1.0.0", Func: fn,
		Unlocked: true}
}

// flat is a history that some earlier turns left, as one segment.
func flat(events ...*turnpb.Event) []replay.Segment {
	return []replay.Segment{{Header: &turnpb.SegmentHeader{Turn: 1, TimeMs: 1_000, Entropy: make([]byte, 16), Converted: 1},
		Events: events}}
}

func input(messages ...*turnpb.Message) replay.Input {
	return replay.Input{TimeMs: 2_000, Entropy: [16]byte{1, 2, 3}, Messages: messages}
}

// after replays a history and takes one turn.
func after(t *testing.T, fn replay.Func, events []*turnpb.Event, messages ...*turnpb.Message) replay.Decision {
	t.Helper()
	return afterWith(t, config(fn), events, messages...)
}

func afterWith(t *testing.T, cfg replay.Config, events []*turnpb.Event, messages ...*turnpb.Message) replay.Decision {
	t.Helper()
	m := replay.New(cfg)
	defer m.Close()
	m.Load(replay.Segments(flat(events...)))
	d := m.Advance(input(messages...))
	if d.Spoiled != nil {
		t.Fatalf("spoiled: %v", d.Spoiled)
	}
	checkDecision(t, events, d)
	return d
}

// checkDecision checks what holds for every decision.
func checkDecision(t *testing.T, before []*turnpb.Event, d replay.Decision) {
	t.Helper()
	var last uint64
	for _, e := range before {
		last = max(last, e.GetId())
	}
	for i, e := range d.Events {
		if e.GetId() != last+uint64(i)+1 {
			t.Errorf("event %d of the turn has id %d, want %d", i, e.GetId(), last+uint64(i)+1)
		}
		if replay.Terminal(e) != (i+1 == len(d.Events) && d.Outcome != replay.Running) {
			t.Errorf("event %s at %d of %d with outcome %d", replay.KindName(e), i, len(d.Events), d.Outcome)
		}
	}
}

func events(all ...*turnpb.Event) []*turnpb.Event { return all }

// kinds is the turn's events in the short notation, without the terminal event.
func kinds(d replay.Decision) string {
	short := map[string]string{"OrchestrationStarted": "S", "ActivityScheduled": "AS", "ActivityCompleted": "AC",
		"ActivityFailed": "AF", "ActivityCancelRequested": "ACancel", "TimerCreated": "TC", "TimerFired": "TF",
		"ExternalSubscribed": "XS", "ExternalEvent": "XE", "ExternalSubscribedCancelled": "XCancel",
		"QueueSubscribed": "QS", "QueueEventDelivered": "QE", "QueueSubscriptionCancelled": "QCancel",
		"SubOrchestrationScheduled": "SS", "SubOrchestrationCompleted": "SC", "SubOrchestrationFailed": "SF",
		"SubOrchestrationCancelRequested": "SCancel", "OrchestrationChained": "Chained",
		"OrchestrationCancelRequested": "Cancel", "CustomStatusUpdated": "Status", "KeyValueSet": "KVSet",
		"KeyValueCleared": "KVClear", "KeyValuesCleared": "KVClearAll",
		"PatchMarked": "Patch", "SideEffectRecorded": "SE", "SendScheduled": "Send", "SendEnded": "Sent",
		"AwaitScheduled": "Await", "AwaitEnded": "Awaited",
		"CompensationPushed": "Push", "CompensationStarted": "Started", "CompensationFailed": "Failed"}
	var out []string
	for _, e := range d.Events {
		if replay.Terminal(e) {
			continue
		}
		s := short[replay.KindName(e)]
		if e.GetSource() != 0 {
			s = fmt.Sprintf("%s(%d)", s, e.GetSource())
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func wantKinds(t *testing.T, d replay.Decision, want string) {
	t.Helper()
	if got := kinds(d); got != want {
		t.Errorf("events: got %q, want %q", got, want)
	}
}

func wantRunning(t *testing.T, d replay.Decision) {
	t.Helper()
	if d.Outcome != replay.Running {
		t.Fatalf("outcome %d (%s), want running", d.Outcome, failure.Display(d.Failure))
	}
}

func wantCompleted(t *testing.T, d replay.Decision, output string) {
	t.Helper()
	if d.Outcome != replay.Completed || string(d.Output) != output {
		t.Fatalf("outcome %d, output %q, failure %q; want completed with %q", d.Outcome, d.Output, failure.Display(d.Failure), output)
	}
}

func wantFailed(t *testing.T, d replay.Decision, category, text string) {
	t.Helper()
	if d.Outcome != replay.Failed || failure.Category(d.Failure) != category || !strings.Contains(failure.Display(d.Failure), text) {
		t.Fatalf("outcome %d, %s failure %q; want %s with %q", d.Outcome, failure.Category(d.Failure), failure.Display(d.Failure), category, text)
	}
}

func wantNondeterminism(t *testing.T, d replay.Decision, texts ...string) {
	t.Helper()
	if d.Outcome != replay.Failed || !failure.IsNondeterminism(d.Failure) {
		t.Fatalf("outcome %d, output %q, failure %q; want nondeterminism", d.Outcome, d.Output, failure.Display(d.Failure))
	}
	for _, text := range texts {
		if !strings.Contains(failure.Display(d.Failure), text) {
			t.Errorf("failure %q does not say %q", failure.Display(d.Failure), text)
		}
	}
}

func wantCancelled(t *testing.T, d replay.Decision, reason string) {
	t.Helper()
	a := d.Failure.GetApplication()
	if d.Outcome != replay.Failed || a.GetKind() != turnpb.ApplicationKind_APPLICATION_KIND_CANCELLED || a.GetReason() != reason {
		t.Fatalf("outcome %d, output %q, failure %q; want cancelled with %q", d.Outcome, d.Output, failure.Display(d.Failure), reason)
	}
}

// Code in few words.

func activity(c *replay.Context, name, in string) *replay.Future {
	return c.Activity(name, []byte(in), replay.ActivityOptions{})
}

func child(c *replay.Context, name, in string) *replay.Future {
	return c.Child(name, []byte(in), replay.ChildOptions{})
}

// strict is code with which a changed input does not match.
func strict(fn replay.Func) replay.Func {
	return func(c *replay.Context, in []byte) ([]byte, error) {
		c.StrictInputs()
		return fn(c, in)
	}
}

// text awaits a durable operation.
func text(f *replay.Future) (string, error) {
	v, err := f.Await()
	b, _ := v.([]byte)
	return string(b), err
}

func returns(s string) replay.Func {
	return func(*replay.Context, []byte) ([]byte, error) { return []byte(s), nil }
}

// greet is one activity that is awaited.
func greet(c *replay.Context, _ []byte) ([]byte, error) {
	s, err := text(activity(c, "Greet", "Alice"))
	return []byte(s), err
}

type (
	event       = turnpb.Event
	childPolicy = turnpb.ChildPolicy
)

const (
	policyCancel            = turnpb.ChildPolicy_CHILD_POLICY_CANCEL
	policyAbandon           = turnpb.ChildPolicy_CHILD_POLICY_ABANDON
	policyWait              = turnpb.ChildPolicy_CHILD_POLICY_WAIT
	kindOrchestrationFailed = turnpb.ApplicationKind_APPLICATION_KIND_ORCHESTRATION_FAILED
	kindPanicked            = turnpb.ApplicationKind_APPLICATION_KIND_PANICKED
	buffered                = turnpb.WaitMode_WAIT_MODE_BUFFERED
)

// wantReasons checks that every breadcrumb of the turn has this reason and that there is one.
func wantReasons(t *testing.T, d replay.Decision, want string) {
	t.Helper()
	n := 0
	for _, e := range d.Events {
		var got string
		switch k := e.GetKind().(type) {
		case *turnpb.Event_ActivityCancelRequested:
			got = k.ActivityCancelRequested.GetReason()
		case *turnpb.Event_SubOrchestrationCancelRequested:
			got = k.SubOrchestrationCancelRequested.GetReason()
		case *turnpb.Event_ExternalSubscribedCancelled:
			got = k.ExternalSubscribedCancelled.GetReason()
		case *turnpb.Event_QueueSubscriptionCancelled:
			got = k.QueueSubscriptionCancelled.GetReason()
		default:
			continue
		}
		n++
		if got != want {
			t.Errorf("breadcrumb %d has the reason %q, want %q", e.GetId(), got, want)
		}
	}
	if n == 0 {
		t.Error("no breadcrumb")
	}
}

func wantRejected(t *testing.T, d replay.Decision, n int) {
	t.Helper()
	if len(d.Rejected) != n {
		t.Errorf("rejected: %v, want %d", d.Rejected, n)
	}
}

func wantIDs(t *testing.T, what string, got []uint64, want ...uint64) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) && len(got)+len(want) > 0 {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
