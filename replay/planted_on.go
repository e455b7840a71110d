//go:build planted

package replay

// plantedOrder: coroutines run in another order in new turns than when they are replayed.
var plantedOrder bool

// PlantOrder plants the fault, or takes it away. No machine may run meanwhile.
func PlantOrder(on bool) { plantedOrder = on }
