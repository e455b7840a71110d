//go:build !planted

package dispatch

// plantedParked is a fault that the simulator plants, to prove that it would be found: the timers of a held instance that
// have come due are not told when it is tried again. This build does not have it.
const plantedParked = false

// plantedTryHeld: a hold of the same step as an attach counts as newer than the attach.
const plantedTryHeld = false
