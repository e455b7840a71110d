package consumer

import (
	"slices"
	"testing"
)

// TestFreeSlotsGoToWhoWaitsLongest, one for each that waits.
func TestFreeSlotsGoToWhoWaitsLongest(t *testing.T) {
	s := newActivitySlots(1)
	var offered []string
	ask := func(by any, name string) bool {
		return s.Acquire(by, func() { offered = append(offered, name) })
	}
	a, b := 1, 2
	if !ask(a, "a") {
		t.Fatal("a free slot was not given")
	}
	if ask(b, "b") || ask(a, "a") || ask(b, "b again") {
		t.Fatal("a slot was given twice")
	}
	s.Release() // to b
	s.Release() // to a
	s.Release() // no partition waits
	if !slices.Equal(offered, []string{"b", "a"}) {
		t.Errorf("offered to %v", offered)
	}
	if !ask(b, "b") {
		t.Error("a free slot was not given")
	}
}

// TestAClosedPoolGivesNothing, and says when nothing is in use.
func TestAClosedPoolGivesNothing(t *testing.T) {
	s := newActivitySlots(2)
	p := 1
	never := func() { t.Error("offered although closed") }
	first, second, third := s.Acquire(p, never), s.Acquire(p, never), s.Acquire(p, never)
	if !first || !second || third {
		t.Fatal("two slots are not two")
	}
	idle := 0
	s.close(func() { idle++ })
	s.close(func() { idle++ }) // by the engine's stop, after a detach
	if s.Acquire(p, never) {
		t.Error("a slot was given although closed")
	}
	s.Release()
	if idle != 0 {
		t.Error("idle while a slot is in use")
	}
	s.Release()
	s.close(func() { idle++ })
	if idle != 3 {
		t.Errorf("idle was said %d times, want 3", idle)
	}
	if s := newActivitySlots(-1); s.Acquire(p, never) {
		t.Error("a pool of fewer than none gives one")
	}
}
