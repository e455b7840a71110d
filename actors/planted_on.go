//go:build planted

package actors

// plantedLeave: instances leave while messages are on their way to them.
var plantedLeave bool

// plantedOpen: every instance counts as open for the calls that wait for its end.
var plantedOpen bool

// PlantOpen plants the fault, or takes it away. No engine may run meanwhile.
func PlantOpen(on bool) { plantedOpen = on }

// PlantLeave plants the fault, or takes it away. No engine may run meanwhile.
func PlantLeave(on bool) { plantedLeave = on }
