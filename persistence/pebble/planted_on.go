//go:build planted

package pebble

// plantedPosition: a turn may be committed though another was before it.
var plantedPosition bool

// PlantPosition plants the fault, or takes it away. No store may be open meanwhile.
func PlantPosition(on bool) { plantedPosition = on }
