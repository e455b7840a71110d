package persistence

import "testing"

func TestTokensNameTheirRows(t *testing.T) {
	turn := NewTurnToken(7, 9, 100, 5)
	if p, iid, ok := turn.Turn(); !ok || p != 7 || iid != 9 {
		t.Fatal(p, iid, ok)
	}
	key := WorkKey{IID: 9, Execution: 2, Event: 3}
	work := NewWorkToken(7, key, 100, 5)
	if p, k, ok := work.Work(); !ok || p != 7 || k != key {
		t.Fatal(p, k, ok)
	}
	for _, token := range []Token{"", "x", work, turn[:26], turn + "x", Token(make([]byte, 27))} {
		if _, _, ok := token.Turn(); ok {
			t.Errorf("%v is no turn token", token)
		}
	}
	for _, token := range []Token{"", "x", turn, work[:42], work + "x", Token(make([]byte, 43))} {
		if _, _, ok := token.Work(); ok {
			t.Errorf("%v is no work token", token)
		}
	}
	if turn == NewTurnToken(7, 9, 101, 5) || turn == NewTurnToken(7, 9, 100, 6) {
		t.Error("a token must depend on the lease's index and nonce")
	}
}

func TestPlacementKeepsATreeTogether(t *testing.T) {
	for id, want := range map[string]string{
		"order-7": "order-7", "order-7::sub::2": "order-7", "order-7::sub::2::sub::3.1": "order-7", "": "", "::sub::1": "",
	} {
		if got := PlacementKey(id); got != want {
			t.Errorf("%q lives with %q, want %q", id, got, want)
		}
	}
	if Slot("order-7") != Slot("order-7::sub::2") {
		t.Error("a child and its root have different slots")
	}
	used := map[Partition]int{}
	for _, p := range DefaultSlotTable(3) {
		used[p]++
	}
	if len(used) != 3 || used[0] < Slots/3 || used[2] < Slots/3 {
		t.Errorf("slots by partition: %v", used)
	}
}
