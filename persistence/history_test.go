package persistence_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestF20_a_history_with_a_hole_is_found takes each part of a history away, and changes what the head says.
func TestF20_a_history_with_a_hole_is_found(t *testing.T) {
	var parts []persistence.StoredPart
	head := persistence.Head{NextEvent: 1}
	head.Execution, head.Chain = 1, persistence.SeedChain(7, 1, persistence.Chain{})
	for _, p := range []persistence.StoredPart{
		{Turn: 1, Count: 2, Header: []byte("1"), Events: []byte("ab")},
		{Turn: 1, Count: 1, Events: []byte("c")},
		{Turn: 2, Count: 0, Header: []byte("2")},
		{Turn: 3, Count: 3, Header: []byte("3"), Events: []byte("def")},
		{Turn: 3, Count: 1, Events: []byte("g")},
	} {
		p.Execution, p.FirstEvent = 1, head.NextEvent
		head.Chain = head.Chain.Next(&p)
		p.Chain = head.Chain
		head.Turn, head.LastPart = p.Turn, p.FirstEvent
		head.NextEvent += p.Count
		head.HistoryEvents += p.Count
		head.HistoryBytes += uint64(len(p.Header) + len(p.Events))
		parts = append(parts, p)
	}
	check := func(parts []persistence.StoredPart, h persistence.Head) error {
		var c persistence.HistoryCheck
		for i := range parts {
			if err := c.Part(&parts[i]); err != nil {
				return err
			}
		}
		return c.End(&h)
	}
	if err := check(parts, head); err != nil {
		t.Errorf("a whole history: %v", err)
	}
	if err := check(nil, persistence.Head{NextEvent: 1}); err != nil {
		t.Errorf("before the first turn: %v", err)
	}
	for n := range parts {
		without := append(append([]persistence.StoredPart(nil), parts[:n]...), parts[n+1:]...)
		if err := check(without, head); !errors.Is(err, persistence.ErrCorrupt) || !strings.Contains(err.Error(), "turn ") {
			t.Errorf("without part %d: %v", n, err)
		}
	}
	for what, change := range map[string]func(h *persistence.Head){
		"turn": func(h *persistence.Head) { h.Turn++ }, "next event": func(h *persistence.Head) { h.NextEvent++ },
		"chain": func(h *persistence.Head) { h.Chain[5]++ }, "last part": func(h *persistence.Head) { h.LastPart-- },
		"events": func(h *persistence.Head) { h.HistoryEvents-- }, "bytes": func(h *persistence.Head) { h.HistoryBytes++ },
	} {
		h := head
		if change(&h); !errors.Is(check(parts, h), persistence.ErrCorrupt) {
			t.Errorf("another %s is not found", what)
		}
	}
}
