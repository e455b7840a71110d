//go:build planted

package view

// plantedPage: a full page of an inbox says that one more row exists.
var plantedPage bool

// PlantPage plants the fault, or takes it away. No engine may run meanwhile.
func PlantPage(on bool) { plantedPage = on }

// plantedReverse: a turn takes the messages of an inbox in reverse.
var plantedReverse bool

// PlantReverse plants the fault, or takes it away. No engine may run meanwhile.
func PlantReverse(on bool) { plantedReverse = on }
