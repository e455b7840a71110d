//go:build planted

package step

// plantedEviction: an eviction ends what an instance is about to do.
var plantedEviction bool

// PlantEviction plants the fault, or takes it away. No engine may run meanwhile.
func PlantEviction(on bool) { plantedEviction = on }

// plantedBelief: an instance goes on believing what a refusal or its dispatcher contradicts.
var plantedBelief bool

// PlantBelief plants the fault, or takes it away. No engine may run meanwhile.
func PlantBelief(on bool) { plantedBelief = on }

// plantedAttach: an instance does not notice that a consumer was attached while it was given back.
var plantedAttach bool

// PlantAttach plants the fault, or takes it away. No engine may run meanwhile.
func PlantAttach(on bool) { plantedAttach = on }
