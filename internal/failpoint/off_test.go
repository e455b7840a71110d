//go:build !failpoint

package failpoint

import "testing"

// TestHitIsNothingWithoutTheTag arms a point that would end the process and hits it.
func TestHitIsNothingWithoutTheTag(t *testing.T) {
	t.Setenv(Environment, "here=exit")
	if Enabled {
		t.Fatal("Enabled is true in a build without the tag failpoint")
	}
	if n := testing.AllocsPerRun(100, func() { Hit("here") }); n != 0 {
		t.Fatalf("Hit allocates %v times, want 0", n)
	}
}
