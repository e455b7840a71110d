package lint

import "testing"

// TestRepository holds this repository to the rules.
func TestRepository(t *testing.T) {
	found, err := Check("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}
