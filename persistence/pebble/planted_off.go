//go:build !planted

package pebble

// plantedPosition is a fault that the simulator plants, to prove that it would be found: a turn may be committed though
// another was before it. This build does not have it.
const plantedPosition = false
