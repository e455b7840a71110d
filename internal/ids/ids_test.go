package ids

import "testing"

// counting is a source whose bytes count up from 1.
type counting struct{}

func (counting) Entropy() (e [16]byte) {
	for i := range e {
		e[i] = byte(i + 1)
	}
	return e
}

func TestNumbersAndIDsAreTheSourcesBytes(t *testing.T) {
	if n := Uint64(counting{}); n != 0x0102030405060708 {
		t.Errorf("Uint64 is %#x", n)
	}
	if s := Hex(counting{}); s != "0102030405060708090a0b0c0d0e0f10" {
		t.Errorf("Hex is %q", s)
	}
}

func TestRealNeverRepeats(t *testing.T) {
	seen := map[[16]byte]bool{}
	for range 10_000 {
		e := Real.Entropy()
		if seen[e] {
			t.Fatalf("%x was drawn twice", e)
		}
		seen[e] = true
	}
}
