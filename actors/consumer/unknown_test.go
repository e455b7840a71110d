package consumer

import (
	"strings"
	"testing"
)

// TestUnknownNamesAreLoggedOnceInAWhile.
func TestUnknownNamesAreLoggedOnceInAWhile(t *testing.T) {
	var u UnknownNames
	if !u.IsNew(0, "a", 100) || u.IsNew(99, "a", 100) || !u.IsNew(100, "a", 100) || !u.IsNew(0, "b", 100) {
		t.Error("a name is logged too often, or not often enough")
	}
	for i := range 10 * unknownNamesMax {
		u.IsNew(0, strings.Repeat("x", i%3000), 100)
	}
	if len(u.loggedAt) > unknownNamesMax {
		t.Errorf("%d names are remembered", len(u.loggedAt))
	}
}
