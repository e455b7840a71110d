package invariants_test

import (
	"testing"

	"github.com/turnstone-dev/turnstone/internal/invariants"
)

// TestCheckPanicsWithTheTagOnly checks what holds and what does not.
func TestCheckPanicsWithTheTagOnly(t *testing.T) {
	defer func() {
		want := any(nil)
		if invariants.Enabled {
			want = "an invariant does not hold: 2 of 1 are used"
		}
		if got := recover(); got != want {
			t.Errorf("the panic says %v, want %v", got, want)
		}
	}()
	invariants.Check(true, "%d of %d are used", 1, 1)
	invariants.Check(false, "%d of %d are used", 2, 1)
}
