package history_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/internal/history"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// TestADamagedPartIsAnError changes and cuts encoded parts at each byte: what cannot be decoded is an error, as it is for the
// protobuf library, and never a panic.
func TestADamagedPartIsAnError(t *testing.T) {
	header, err := proto.Marshal(&turnpb.SegmentHeader{Turn: 1, TimeMs: 2, Entropy: []byte("entropy"), EngineVersion: "1.0.0",
		CallSites: []*turnpb.CallSite{{Event: 1, Hash: 2, Text: "a (b.go:1)"}}})
	if err != nil {
		t.Fatal(err)
	}
	events, err := proto.Marshal(&turnpb.EventList{Events: []*turnpb.Event{
		{Id: 1, Kind: &turnpb.Event_ActivityScheduled{ActivityScheduled: &turnpb.ActivityScheduled{Name: "A", Input: []byte("in"), Attempt: 2}}},
		{Id: 2, Source: 1, Kind: &turnpb.Event_ActivityCompleted{ActivityCompleted: &turnpb.ActivityCompleted{Result: []byte("out")}}},
		{Id: 3, Kind: &turnpb.Event_TimerCreated{TimerCreated: &turnpb.TimerCreated{FireAtMs: 1 << 40}}},
		{Id: 4, Source: 3, Kind: &turnpb.Event_TimerFired{TimerFired: &turnpb.TimerFired{FireAtMs: 1 << 40}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, header, events []byte) {
		defer func() {
			if r := recover(); r != nil {
				t.Errorf("%s: header %x, events %x: panic: %v", what, header, events, r)
			}
		}()
		damaged := proto.Unmarshal(header, &turnpb.SegmentHeader{}) != nil || proto.Unmarshal(events, &turnpb.EventList{}) != nil
		var s history.Stored
		if err := s.Part(1, header, events); (err != nil) != (damaged || len(header) == 0) {
			t.Errorf("%s: header %x, events %x: %v, damaged: %t", what, header, events, err, damaged)
		} else if err == nil {
			s.Turn(0)
			for range s.Sites {
			}
		}
		var d history.Decoder
		if err := d.Part(1, header, events); (err != nil) != (damaged || len(header) == 0) {
			t.Errorf("%s: header %x, events %x: %v, damaged: %t", what, header, events, err, damaged)
		}
	}
	for i := range events {
		try(fmt.Sprint("cut at ", i), header, events[:i])
		for bit := range 8 {
			changed := append([]byte(nil), events...)
			changed[i] ^= 1 << bit
			try(fmt.Sprintf("bit %d of byte %d of the events", bit, i), header, changed)
		}
	}
	for i := range header {
		try(fmt.Sprint("header cut at ", i), header[:i], events)
		for bit := range 8 {
			changed := append([]byte(nil), header...)
			changed[i] ^= 1 << bit
			try(fmt.Sprintf("bit %d of byte %d of the header", bit, i), changed, events)
		}
	}
}
