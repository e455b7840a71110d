// Package invariants reports whether this build checks what the code assumes of its own state, and checks it.
//
// It owns the switch and the form of a failure. It must not know what is checked: each structure has a method verify
// beside it, which the step that changes the structure calls last. Without the build tag invariants, [Enabled] is the
// constant false and the compiler removes those calls. Tests and the simulator are built with the tag. Pebble has the same
// tag, so its own checks are in these builds, too.
//
// Invariants: a check changes nothing, so a build with the tag does what a build without it does, or panics.
//
// Start reading at [Check].
package invariants

import "fmt"

// Check panics with a sentence if a condition does not hold. In a build without the tag it does nothing; guard calls with
// [Enabled], so that the condition costs nothing either.
func Check(ok bool, format string, args ...any) {
	if Enabled && !ok {
		panic("an invariant does not hold: " + fmt.Sprintf(format, args...))
	}
}
