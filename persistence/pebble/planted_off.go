//go:build !planted

package pebble

// Faults that the simulator plants, to prove that they would be found. This build does not have them.

// plantedPosition: a turn may be committed though another was before it.
const plantedPosition = false

// plantedValues: the values of a turn that is refused are kept.
const plantedValues = false

// plantedWatchers: the first instance that waits for the end of another one is not told of it.
const plantedWatchers = false
