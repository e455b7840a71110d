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
	got, ok := new(decoder).common(list)
	if n, _, common := allCommon(list); common != ok || n != len(got) && ok {
		tb.Fatalf("%x is common: %t, with %d events; it was decoded: %t, with %d events", list, common, n, ok, len(got))
	}
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
	f.Add([]byte{0x0a, 0x05, 0xaa, 0x01, 0x02, 0x0a, 0x00}) // an empty result
	f.Fuzz(func(t *testing.T, list []byte) { sameAsReflection(t, list) })
}

// commonHeaders are headers that are decoded without reflection.
func commonHeaders() []*turnpb.SegmentHeader {
	return []*turnpb.SegmentHeader{
		{},
		{Turn: 1, TimeMs: -5, Entropy: []byte("0123456789abcdef"), EngineVersion: "v1.2.3", Origin: turnpb.SegmentOrigin_SEGMENT_ORIGIN_CODE, Converted: 2},
		{Turn: 300, CallSites: []*turnpb.CallSite{{Event: 2, Hash: 1 << 31, Text: "main.run (main.go:7)"}, {}, {Event: 3, Hash: 5}}},
	}
}

func encodedHeader(tb testing.TB, h *turnpb.SegmentHeader) []byte {
	b, err := proto.Marshal(h)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// sameHeaderAsReflection is sameAsReflection for a header.
func sameHeaderAsReflection(tb testing.TB, b []byte) bool {
	got := new(decoder).header(b)
	if fits := shapeHeader.fits(b); fits != (got != nil) {
		tb.Fatalf("%x fits: %t; it was decoded: %t", b, fits, got != nil)
	}
	if got == nil {
		return false
	}
	want := &turnpb.SegmentHeader{}
	if err := proto.Unmarshal(b, want); err != nil {
		tb.Fatalf("%x was decoded, and is damaged: %v", b, err)
	}
	if !proto.Equal(got, want) || (got.Entropy == nil) != (want.Entropy == nil) {
		tb.Fatalf("%x was decoded as %v, it is %v", b, got, want)
	}
	return true
}

func TestCommonHeadersAreDecodedAsOthersAre(t *testing.T) {
	for _, h := range commonHeaders() {
		if !sameHeaderAsReflection(t, encodedHeader(t, h)) {
			t.Errorf("%v was left to reflection", h)
		}
	}
	for _, h := range []*turnpb.SegmentHeader{
		{PanicStack: "main.run"}, {Rejected: []*turnpb.RejectedMessage{{}}}, {Undecoded: []*turnpb.UndecodedValue{{}}},
	} {
		b := encodedHeader(t, h)
		if sameHeaderAsReflection(t, b) {
			t.Errorf("%v was decoded", h)
		}
		if got, err := Header(1, b); err != nil || !proto.Equal(got, h) {
			t.Errorf("%v: %v, %v", h, got, err)
		}
	}
}

// FuzzDecodeHeader: whatever is decoded without reflection is what the library decodes.
func FuzzDecodeHeader(f *testing.F) {
	for _, h := range commonHeaders() {
		f.Add(encodedHeader(f, h))
	}
	f.Add([]byte{0x1a, 0x00, 0x22, 0x00, 0x42, 0x00})
	f.Add([]byte{0x42, 0x03, 0x1a, 0x01, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) { sameHeaderAsReflection(t, b) })
}

// TestNothingOfAPartIsKept: a part may be overwritten as soon as it is taken.
func TestNothingOfAPartIsKept(t *testing.T) {
	var d Decoder
	var want []*turnpb.Event
	for n := range uint64(3 * roomMax) {
		events := commonEvents()
		events[0].GetActivityScheduled().Input = make([]byte, n*n) // some are in a row, the largest apart
		events[0].Id = n
		header, list := encodedHeader(t, commonHeaders()[1+n%2]), encodedList(t, events...)
		if err := d.Part(1, header, list); err != nil {
			t.Fatal(err)
		}
		clear(header)
		clear(list)
		want = append(want, events...)
	}
	var got []*turnpb.Event
	for n, turn := range d.Turns() {
		got = append(got, turn.Events...)
		if !proto.Equal(turn.Header, commonHeaders()[1+n%2]) {
			t.Fatalf("turn %d has the header %v", n, turn.Header)
		}
	}
	if !proto.Equal(&turnpb.EventList{Events: got}, &turnpb.EventList{Events: want}) {
		t.Error("the events are not those of the parts")
	}
}
