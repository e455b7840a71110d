package story

import (
	"errors"
	"io"
	"strings"
	"testing"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// write prints all turns of an execution.
func write(w io.Writer, turns []replay.Segment) error {
	story := NewWriter(w)
	for _, turn := range turns {
		if err := story.Turn(turn); err != nil {
			return err
		}
	}
	return nil
}

func app(message string) *turnpb.Failure {
	return &turnpb.Failure{Category: &turnpb.Failure_Application{Application: &turnpb.ApplicationFailure{
		Kind: turnpb.ApplicationKind_APPLICATION_KIND_ACTIVITY_FAILED, Message: message}}}
}

func TestStoryOfAnExecution(t *testing.T) {
	turns := []replay.Segment{
		{Header: &turnpb.SegmentHeader{Turn: 1, TimeMs: 1_700_000_000_000, CallSites: []*turnpb.CallSite{{Event: 2, Hash: 7, Text: "main.checkout:12"}, {Event: 3, Hash: 7}}},
			Events: []*turnpb.Event{
				{Id: 1, Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{Name: "Checkout", Version: "1.2.0", Input: []byte(`{"order": 7}`)}}},
				{Id: 2, Kind: &turnpb.Event_ActivityScheduled{ActivityScheduled: &turnpb.ActivityScheduled{Name: "Charge", Input: []byte(`7`)}}},
				{Id: 3, Kind: &turnpb.Event_TimerCreated{TimerCreated: &turnpb.TimerCreated{FireAtMs: 1_700_000_005_000}}},
				{Id: 4, Kind: &turnpb.Event_ExternalSubscribed{ExternalSubscribed: &turnpb.ExternalSubscribed{Name: "approved", Mode: turnpb.WaitMode_WAIT_MODE_POSITIONAL}}},
				{Id: 5, Kind: &turnpb.Event_SubOrchestrationScheduled{SubOrchestrationScheduled: &turnpb.SubOrchestrationScheduled{Name: "Pack", Instance: "sub::5"}}},
			}},
		{Header: &turnpb.SegmentHeader{Turn: 2, TimeMs: 1_700_000_000_250, Rejected: []*turnpb.RejectedMessage{{Kind: 11, Source: 2}},
			PanicStack: "main.pay (pay.go:7)\nmain.checkout (checkout.go:12)\n"},
			Events: []*turnpb.Event{
				{Id: 6, Source: 2, Kind: &turnpb.Event_ActivityFailed{ActivityFailed: &turnpb.ActivityFailed{Failure: app("no funds")}}},
				{Id: 7, Kind: &turnpb.Event_ExternalEvent{ExternalEvent: &turnpb.ExternalEvent{Name: "approved", Data: []byte{0xff, 0xfe}}}},
				{Id: 8, Source: 5, Kind: &turnpb.Event_SubOrchestrationCancelRequested{SubOrchestrationCancelRequested: &turnpb.SubOrchestrationCancelRequested{Reason: "dropped_future"}}},
				{Id: 9, Kind: &turnpb.Event_SubOrchestrationScheduled{SubOrchestrationScheduled: &turnpb.SubOrchestrationScheduled{
					Name: "Ship", Instance: "s", Policy: turnpb.ChildPolicy_CHILD_POLICY_ABANDON}}},
				{Id: 10, Kind: &turnpb.Event_SendScheduled{SendScheduled: &turnpb.SendScheduled{
					Instance: "r", Name: "E", Data: []byte("1"), Kind: turnpb.ArrivalKind_ARRIVAL_KIND_EVENT}}},
				{Id: 11, Kind: &turnpb.Event_SendScheduled{SendScheduled: &turnpb.SendScheduled{
					Instance: "r", Name: "Q", Data: []byte("1"), Kind: turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE}}},
				{Id: 12, Kind: &turnpb.Event_Failed{Failed: &turnpb.OrchestrationFailed{Failure: app("no funds")}}},
			}},
	}
	var out strings.Builder
	if err := write(&out, turns); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"turn 1  2023-11-14 22:13:20.000",
		`Checkout 1.2.0 starts with {"order":7}`,
		"asks for activity Charge with 7  at main.checkout:12",
		"sets a timer for 22:13:25.000 (5s from now)  at main.checkout:12",
		"\n         main.pay (pay.go:7)\n         main.checkout (checkout.go:12)\n",
		`waits for event "approved" (only from now on)`,
		`starts child Pack as "sub::5" with nothing`,
		"activity Charge (asked for in 2, 250ms later) failed: no funds",
		`event "approved" arrives with 2 bytes`,
		"child Pack (asked for in 5, 250ms later) is cancelled: the code gave it up",
		`starts child Ship as "s" with nothing, which outlives this execution`,
		`sends event "E" to "r" with 1`, `sends a message of queue "Q" to "r" with 1`,
		"failed: no funds",
		"a message for 2 came too late or twice",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story lacks %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "does not know") {
		t.Errorf("an event has no sentence:\n%s", out.String())
	}
}

// Every kind of event that the format has must have a sentence of its own.
func TestEveryEventHasASentence(t *testing.T) {
	fields := (&turnpb.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	for i := range fields.Len() {
		e := &turnpb.Event{Id: 2, Source: 1}
		m := e.ProtoReflect()
		m.Set(fields.Get(i), m.NewField(fields.Get(i)))
		var out strings.Builder
		if err := write(&out, []replay.Segment{{Header: &turnpb.SegmentHeader{}, Events: []*turnpb.Event{e}}}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "does not know") {
			t.Errorf("%s: %s", fields.Get(i).Name(), out.String())
		}
	}
}

// Every text of an event and of its call site is a part of one line, and a terminal obeys none of it.
func TestF41_a_story_has_one_line_for_an_event_whatever_its_texts_are(t *testing.T) {
	const evil = "a\x1b[2J\n\u202eb"
	turns := []replay.Segment{{
		Header: &turnpb.SegmentHeader{Turn: 1, CallSites: []*turnpb.CallSite{{Event: 1, Text: evil}},
			PanicStack: "main.pay (a\x1b[2J.go:7)\r\nmain.\u202eb (b.go:8)"},
		Events: []*turnpb.Event{
			{Id: 1, Kind: &turnpb.Event_ActivityScheduled{ActivityScheduled: &turnpb.ActivityScheduled{Name: evil, Input: []byte(`"\u202e"`)}}},
			{Id: 2, Source: 1, Kind: &turnpb.Event_ActivityFailed{ActivityFailed: &turnpb.ActivityFailed{Failure: app(evil)}}},
			{Id: 3, Kind: &turnpb.Event_CancelRequested{CancelRequested: &turnpb.OrchestrationCancelRequested{Reason: evil}}},
		},
	}}
	var out strings.Builder
	if err := write(&out, turns); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "\n") != 6 || strings.ContainsAny(out.String(), "\x1b\u202e\r") || strings.Count(out.String(), `a\x1b[2J\n\u202eb`) != 5 {
		t.Errorf("the story is\n%q", out.String())
	}
}

type broken struct{}

var errBroken = errors.New("broken")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestPayloadsAndWriters(t *testing.T) {
	for raw, want := range map[string]string{
		"": "nothing", `{ "a": 1 }`: `{"a":1}`, "text": `"text"`, "\xff": "1 bytes",
	} {
		if got := Payload([]byte(raw)); got != want {
			t.Errorf("Payload(%q) = %s, want %s", raw, got, want)
		}
	}
	if long := Payload([]byte(`"` + strings.Repeat("x", 500) + `"`)); !strings.HasSuffix(long, "... (502 bytes)") {
		t.Errorf("a long payload is shown as %s", long)
	}
	if err := write(broken{}, []replay.Segment{{Header: &turnpb.SegmentHeader{}}}); !errors.Is(err, errBroken) {
		t.Errorf("a writer that fails gave %v", err)
	}
}
