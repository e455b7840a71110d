//go:build planted

package actors

// plantedLeave: instances leave while messages are on their way to them.
var plantedLeave bool

// plantedOpen: every instance counts as open for those who wait for its end.
var plantedOpen bool

// PlantOpen plants the fault, or takes it away. No engine may run meanwhile.
func PlantOpen(on bool) { plantedOpen = on }

// PlantLeave plants the fault, or takes it away. No engine may run meanwhile.
func PlantLeave(on bool) { plantedLeave = on }

// plantedEviction: an eviction ends what an instance is about to do.
var plantedEviction bool

// plantedPage: a full page of an inbox says that one more row exists.
var plantedPage bool

// plantedBelief: an instance goes on believing what a refusal or its dispatcher contradicts.
var plantedBelief bool

// PlantEviction plants the fault, or takes it away. No engine may run meanwhile.
func PlantEviction(on bool) { plantedEviction = on }

// PlantPage plants the fault, or takes it away. No engine may run meanwhile.
func PlantPage(on bool) { plantedPage = on }

// PlantBelief plants the fault, or takes it away. No engine may run meanwhile.
func PlantBelief(on bool) { plantedBelief = on }

// plantedUnserved: what an instance leaves until a consumer is attached counts as dealt with.
var plantedUnserved bool

// PlantUnserved plants the fault, or takes it away. No engine may run meanwhile.
func PlantUnserved(on bool) { plantedUnserved = on }

// plantedReverse: a turn takes the messages of an inbox in reverse.
var plantedReverse bool

// PlantReverse plants the fault, or takes it away. No engine may run meanwhile.
func PlantReverse(on bool) { plantedReverse = on }
