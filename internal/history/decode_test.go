package history

import (
	"testing"

	"google.golang.org/protobuf/proto"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// commonEvents are events that are decoded without reflection.
func commonEvents() []*turnpb.Event {
	return []*turnpb.Event{
		{Id: 2, Kind: &turnpb.Event_ActivityScheduled{ActivityScheduled: &turnpb.ActivityScheduled{Name: "charge", Input: []byte("{}")}}},
		{Id: 3, Kind: &turnpb.Event_ActivityScheduled{ActivityScheduled: &turnpb.ActivityScheduled{Name: "again", Attempt: 2, FirstEvent: 2}}},
		{Id: 4, Source: 2, Kind: &turnpb.Event_ActivityCompleted{ActivityCompleted: &turnpb.ActivityCompleted{Result: []byte("ok")}}},
		{Id: 5, Source: 3, Kind: &turnpb.Event_ActivityCompleted{ActivityCompleted: &turnpb.ActivityCompleted{}}},
		{Id: 6, Kind: &turnpb.Event_TimerCreated{TimerCreated: &turnpb.TimerCreated{FireAtMs: 1 << 40}}},
		{Id: 7, Source: 6, Kind: &turnpb.Event_TimerFired{TimerFired: &turnpb.TimerFired{FireAtMs: -1}}},
		{},
	}
}

func encodedList(tb testing.TB, events ...*turnpb.Event) []byte {
	b, err := proto.Marshal(&turnpb.EventList{Events: events})
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// sameAsReflection checks that what is decoded without reflection is what the library decodes. It reports whether it was.
func sameAsReflection(tb testing.TB, list []byte) bool {
	got, ok := decodeCommon(list)
	if !ok {
		return false
	}
	want := &turnpb.EventList{}
	if err := proto.Unmarshal(list, want); err != nil {
		tb.Fatalf("%x was decoded, and is damaged: %v", list, err)
	}
	if !proto.Equal(&turnpb.EventList{Events: got}, want) {
		tb.Fatalf("%x was decoded as %v, it is %v", list, got, want.GetEvents())
	}
	for i, e := range got {
		a, b := e.GetActivityCompleted(), want.GetEvents()[i].GetActivityCompleted()
		if a != nil && (a.Result == nil) != (b.Result == nil) {
			tb.Fatalf("the result %v was decoded as %v", b.Result, a.Result)
		}
	}
	return true
}

func TestCommonEventsAreDecodedAsOthersAre(t *testing.T) {
	if !sameAsReflection(t, encodedList(t, commonEvents()...)) || !sameAsReflection(t, nil) {
		t.Error("common events were left to reflection")
	}
	for _, other := range []*turnpb.Event{
		{Id: 1, Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{Name: "o"}}},
		{Id: 2, Kind: &turnpb.Event_ActivityScheduled{ActivityScheduled: &turnpb.ActivityScheduled{Name: "a", Tag: new("gpu")}}},
	} {
		list := encodedList(t, append(commonEvents(), other)...)
		if sameAsReflection(t, list) {
			t.Errorf("%v was decoded", other)
		}
		if events, err := Events(1, list); err != nil || len(events) != len(commonEvents())+1 {
			t.Errorf("%d events, %v", len(events), err)
		}
	}
}

// FuzzDecodeCommon: whatever is decoded without reflection is what the library decodes.
func FuzzDecodeCommon(f *testing.F) {
	for _, e := range commonEvents() {
		f.Add(encodedList(f, e))
	}
	f.Add(encodedList(f, commonEvents()...))
	f.Add([]byte{0x0a, 0x03, 0xa2, 0x01, 0x00})
	f.Fuzz(func(t *testing.T, list []byte) { sameAsReflection(t, list) })
}
