//go:build !planted

package step

// Faults that the simulator plants, to prove that they would be found. This build does not have them.

// plantedEviction: an eviction ends what an instance is about to do.
const plantedEviction = false

// plantedBelief: an instance goes on believing what a refusal or its dispatcher contradicts.
const plantedBelief = false

// plantedAttach: an instance does not notice that a consumer was attached while it was given back.
const plantedAttach = false
