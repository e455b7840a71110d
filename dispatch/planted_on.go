//go:build planted

package dispatch

// plantedParked: the timers of a held instance that have come due are not told when it is tried again.
var plantedParked bool

// PlantParked plants the fault, or takes it away. No dispatcher may run meanwhile.
func PlantParked(on bool) { plantedParked = on }

// plantedTryHeld: a hold of the same step as an attach counts as newer than the attach.
var plantedTryHeld bool

// PlantTryHeld plants the fault, or takes it away. No dispatcher may run meanwhile.
func PlantTryHeld(on bool) { plantedTryHeld = on }
