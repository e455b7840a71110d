package actors

import (
	"slices"
	"testing"
)

// TestFreeSlotsGoToWhoWaitsLongest, one for each that waits.
func TestFreeSlotsGoToWhoWaitsLongest(t *testing.T) {
	s := newSlotPool(1)
	var offered []string
	ask := func(p *partition, name string) bool {
		return s.acquire(p, func() { offered = append(offered, name) })
	}
	a, b := &partition{}, &partition{id: 1}
	if !ask(a, "a") {
		t.Fatal("a free slot was not given")
	}
	if ask(b, "b") || ask(a, "a") || ask(b, "b again") {
		t.Fatal("a slot was given twice")
	}
	s.release() // to b
	s.release() // to a
	s.release() // to nobody
	if !slices.Equal(offered, []string{"b", "a"}) {
		t.Errorf("offered to %v", offered)
	}
	if !ask(b, "b") {
		t.Error("a free slot was not given")
	}
}

// TestAClosedPoolGivesNothing, and says when nothing is in use.
func TestAClosedPoolGivesNothing(t *testing.T) {
	s := newSlotPool(2)
	p := &partition{}
	never := func() { t.Error("offered although closed") }
	first, second, third := s.acquire(p, never), s.acquire(p, never), s.acquire(p, never)
	if !first || !second || third {
		t.Fatal("two slots are not two")
	}
	idle := 0
	s.close(func() { idle++ })
	s.close(func() { idle++ }) // by the engine's stop, after a detach
	if s.acquire(p, never) {
		t.Error("a slot was given although closed")
	}
	s.release()
	if idle != 0 {
		t.Error("idle while a slot is in use")
	}
	s.release()
	s.close(func() { idle++ })
	if idle != 3 {
		t.Errorf("idle was said %d times, want 3", idle)
	}
	if s := newSlotPool(-1); s.acquire(p, never) {
		t.Error("a pool of fewer than none gives one")
	}
}
