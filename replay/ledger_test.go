package replay

import (
	"testing"

	"pgregory.net/rapid"
)

// The open set must be a set, whatever the order of ids: damaged histories have them in any order.
func TestOpenSetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s openSet
		model := map[uint64]*Future{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			id := rapid.Uint64Range(1, 90).Draw(t, "id")
			if rapid.Bool().Draw(t, "add") {
				f := &Future{event: id}
				s.add(f)
				model[id] = f
			} else if got := s.take(id); got != model[id] {
				t.Fatalf("take(%d) gives %v, want %v", id, got, model[id])
			} else {
				delete(model, id)
			}
			held := 0
			for i, e := range s.all {
				if i > 0 && s.all[i-1].event >= e.event {
					t.Fatalf("not sorted: %v", s.all)
				}
				if e.f != nil {
					held++
					if model[e.event] != e.f {
						t.Fatalf("holds %d, which it should not", e.event)
					}
				}
			}
			if held != len(model) || held != len(s.all)-s.gone {
				t.Fatalf("holds %d, counts %d, want %d", held, len(s.all)-s.gone, len(model))
			}
		}
	})
}

// The ledger must keep what it was told, and a wide gap must not cost memory.
func TestLedgerKeepsMarks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l ledger
		model := map[uint64]mark{}
		ids := rapid.OneOf(rapid.Uint64Range(0, 3_000), rapid.Uint64())
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			id := ids.Draw(t, "id")
			bits := mark(rapid.Uint8().Draw(t, "bits"))
			l.add(id, bits)
			model[id] |= bits
		}
		for id, want := range model {
			if got := l.get(id); got != want {
				t.Fatalf("%d: got %x, want %x", id, got, want)
			}
		}
		if len(l.dense) > 100*(ledgerGapMax+1) {
			t.Fatalf("the dense part has %d entries", len(l.dense))
		}
	})
}
