//go:build planted

package instance

// plantedEviction: an eviction ends what an instance is about to do.
var plantedEviction bool

// PlantEviction plants the fault, or takes it away. No engine may run meanwhile.
func PlantEviction(on bool) { plantedEviction = on }

// plantedPage: a full page of an inbox says that one more row exists.
var plantedPage bool

// PlantPage plants the fault, or takes it away. No engine may run meanwhile.
func PlantPage(on bool) { plantedPage = on }

// plantedBelief: an instance goes on believing what a refusal or its dispatcher contradicts.
var plantedBelief bool

// PlantBelief plants the fault, or takes it away. No engine may run meanwhile.
func PlantBelief(on bool) { plantedBelief = on }

// plantedReverse: a turn takes the messages of an inbox in reverse.
var plantedReverse bool

// PlantReverse plants the fault, or takes it away. No engine may run meanwhile.
func PlantReverse(on bool) { plantedReverse = on }
