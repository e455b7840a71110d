package history_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/internal/history"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// turnsOfAllForms are turns of common events and of others, short and long, with and without call sites.
func turnsOfAllForms() (turns []replay.Segment) {
	id := uint64(0)
	event := func(e *turnpb.Event) *turnpb.Event { id++; e.Id = id; return e }
	for n := range 40 {
		h := &turnpb.SegmentHeader{Turn: uint64(n) + 1, TimeMs: int64(n), Entropy: make([]byte, n%17), EngineVersion: fmt.Sprint("v", n%3)}
		t := replay.Segment{Header: h}
		if n%5 == 0 {
			h.PanicStack = "main.run"
			t.Events = append(t.Events, event(&turnpb.Event{Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{Name: "o"}}}))
		}
		for i := range n {
			h.CallSites = append(h.CallSites, &turnpb.CallSite{Event: id + 1, Hash: uint32(i), Text: fmt.Sprint("line ", i%2)})
			t.Events = append(t.Events,
				event(&turnpb.Event{Kind: &turnpb.Event_ActivityScheduled{ActivityScheduled: &turnpb.ActivityScheduled{
					Name: fmt.Sprint("a", i), Input: make([]byte, i*i), Attempt: uint32(i % 2), FirstEvent: uint64(i % 2)}}}),
				event(&turnpb.Event{Source: id - 1, Kind: &turnpb.Event_ActivityCompleted{ActivityCompleted: &turnpb.ActivityCompleted{
					Result: fmt.Append(nil, n*i)}}}),
				event(&turnpb.Event{Kind: &turnpb.Event_TimerCreated{TimerCreated: &turnpb.TimerCreated{FireAtMs: int64(i)}}}),
				event(&turnpb.Event{Source: id - 1, Kind: &turnpb.Event_TimerFired{TimerFired: &turnpb.TimerFired{FireAtMs: int64(i)}}}))
		}
		turns = append(turns, t)
	}
	return turns
}

// TestAStoredHistoryIsReadAsItWasWritten: whatever the parts, in any order, and although their memory is used again.
func TestAStoredHistoryIsReadAsItWasWritten(t *testing.T) {
	want := turnsOfAllForms()
	var s history.Stored
	for _, turn := range want {
		header := encoded(t, turn.Header)
		for at := 0; at == 0 || at < len(turn.Events); at += 50 {
			list := encoded(t, &turnpb.EventList{Events: turn.Events[at:min(at+50, len(turn.Events))]})
			if err := s.Part(1, header, list); err != nil {
				t.Fatal(err)
			}
			clear(header)
			clear(list)
			header = nil
		}
	}
	if s.Turns() != len(want) {
		t.Fatalf("%d turns, want %d", s.Turns(), len(want))
	}
	for n := range 2 * len(want) {
		n = (n * 7) % len(want)
		got := s.Turn(n)
		if !proto.Equal(got.Header, want[n].Header) ||
			!proto.Equal(&turnpb.EventList{Events: got.Events}, &turnpb.EventList{Events: want[n].Events}) {
			t.Errorf("turn %d is read as %v", n, got)
		}
	}
	var sites []*turnpb.CallSite
	for c := range s.Sites {
		sites = append(sites, c)
	}
	at := 0
	for c := range replay.Segments(want).Sites {
		if at >= len(sites) || !proto.Equal(c, sites[at]) {
			t.Fatalf("call site %d is not %v", at, c)
		}
		at++
	}
	for range s.Sites {
		break
	}
	m := replay.New(replay.Config{})
	defer m.Close()
	m.Load(&s)
	last := want[len(want)-1].Events
	if m.NextEvent() != last[len(last)-1].GetId()+1 || m.Started().GetName() != "o" {
		t.Errorf("the next event is %d, and it was started as %v", m.NextEvent(), m.Started())
	}
}
