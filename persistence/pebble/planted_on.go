//go:build planted

package pebble

// plantedPosition: a turn may be committed though another was before it.
var plantedPosition bool

// PlantPosition plants the fault, or takes it away. No store may be open meanwhile.
func PlantPosition(on bool) { plantedPosition = on }

// plantedValues: the values of a turn that is refused are kept.
var plantedValues bool

// PlantValues plants the fault, or takes it away. No store may be open meanwhile.
func PlantValues(on bool) { plantedValues = on }

// plantedWatchers: the first instance that waits for the end of another one is not told of it.
var plantedWatchers bool

// PlantWatchers plants the fault, or takes it away. No store may be open meanwhile.
func PlantWatchers(on bool) { plantedWatchers = on }
