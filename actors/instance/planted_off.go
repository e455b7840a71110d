//go:build !planted

package instance

// Faults that the simulator plants, to prove that they would be found. This build does not have them.

// plantedEviction: an eviction ends what an instance is about to do.
const plantedEviction = false

// plantedPage: a full page of an inbox says that one more row exists.
const plantedPage = false

// plantedBelief: an instance goes on believing what a refusal or its dispatcher contradicts.
const plantedBelief = false

// plantedReverse: a turn takes the messages of an inbox in reverse.
const plantedReverse = false
