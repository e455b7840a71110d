//go:build planted

package partition

// plantedUnserved: what an instance leaves until a consumer is attached counts as dealt with.
var plantedUnserved bool

// PlantUnserved plants the fault, or takes it away. No engine may run meanwhile.
func PlantUnserved(on bool) { plantedUnserved = on }
