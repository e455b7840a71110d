package persistence

import (
	"errors"
	"reflect"
	"testing"
)

func TestOutboxMessagesRoundTrip(t *testing.T) {
	for _, m := range []OutboxMessage{
		{Kind: SendStartDetached, To: "x"},
		{Kind: SendChildExists, To: "parent", Link: Link{ID: "parent", IID: 1, Execution: 2, Event: 3}, ChildID: "child"},
		{
			Kind: SendStartChild, To: "child", Link: Link{ID: "parent", IID: 9, Execution: 1, Event: 4},
			Name: "o", Version: "1.0.0", Input: []byte("in"), Message: []byte("m"),
		},
		{Kind: SendStartDetached, To: "x", NotBeforeMs: 1000, ExecutionTimeoutMs: 200},
		{
			Kind: SendMessage, To: "x", Link: Link{ID: "sender", IID: 9, Execution: 1, Event: 4}, Message: []byte("m"),
			Topic: 7, InboxMax: 300, InboxBytesMax: 4000,
		},
		{Kind: SendEnded, To: "sender", Link: Link{ID: "sender", IID: 9, Execution: 1, Event: 4}, Outcome: SendBusy},
		{Kind: SendAwait, To: "x", Link: Link{ID: "sender", IID: 9, Execution: 1, Event: 4}},
		{
			Kind: SendAwaited, To: "sender", Link: Link{ID: "sender", IID: 9, Execution: 1, Event: 4}, Message: []byte("m"),
			Outcome: SendNotFound,
		},
	} {
		row := m.Encode()
		got, err := DecodeOutboxMessage(row)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("%v\ngot  %+v\nwant %+v", err, got, m)
		}
		for i := range row {
			if _, err := DecodeOutboxMessage(row[:i]); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("cut at %d: %v", i, err)
			}
		}
	}
	for _, kind := range []SendKind{0, SendAwaited + 1} {
		bad := OutboxMessage{Kind: kind, To: "x"}
		if _, err := DecodeOutboxMessage(bad.Encode()); !errors.Is(err, ErrCorrupt) {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
}

// TestChainIsFrozen fixes the chain's definition: it is part of the store format.
func TestChainIsFrozen(t *testing.T) {
	seed := SeedChain(1, 1, Chain{})
	if seed == SeedChain(1, 2, Chain{}) || seed == SeedChain(2, 1, Chain{}) || seed == SeedChain(1, 1, seed) {
		t.Error("the seed must depend on incarnation and execution")
	}
	part := StoredPart{FirstEvent: 1, Count: 2, Header: []byte("h"), Events: []byte("events")}
	next := seed.Next(&part)
	if got := Token(next[:]).String(); got != "de7ff0113c258ae98453bbddc41c3b90" {
		t.Errorf("the chain of a known part is %s", got)
	}
	for name, change := range map[string]func(p *StoredPart){
		"first event":    func(p *StoredPart) { p.FirstEvent++ },
		"count":          func(p *StoredPart) { p.Count++ },
		"header":         func(p *StoredPart) { p.Header = []byte("H") },
		"events":         func(p *StoredPart) { p.Events = []byte("eventS") },
		"moved boundary": func(p *StoredPart) { p.Header, p.Events = []byte("he"), []byte("vents") },
	} {
		other := part
		change(&other)
		if seed.Next(&other) == next {
			t.Errorf("the chain does not depend on the %s", name)
		}
	}
	part.Chain = Chain{1}
	if seed.Next(&part) != next {
		t.Error("the chain depends on the part's own chain")
	}
}
