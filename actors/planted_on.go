//go:build planted

package actors

// plantedLeave: instances leave while messages are on their way to them.
var plantedLeave bool

// PlantLeave plants the fault, or takes it away. No engine may run meanwhile.
func PlantLeave(on bool) { plantedLeave = on }
