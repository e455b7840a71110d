//go:build !planted

package actors

// plantedLeave is a fault that the simulator plants, to prove that it would be found: instances leave while messages
// are on their way to them. This build does not have it.
const plantedLeave = false

// plantedOpen is another: every instance counts as open for those who wait for its end.
const plantedOpen = false

// plantedEviction: an eviction ends what an instance is about to do.
const plantedEviction = false

// plantedPage: a full page of an inbox says that one more row exists.
const plantedPage = false

// plantedBelief: an instance goes on believing what a refusal or its dispatcher contradicts.
const plantedBelief = false

// plantedUnserved: what an instance leaves until a consumer is attached counts as dealt with.
const plantedUnserved = false

// plantedReverse: a turn takes the messages of an inbox in reverse.
const plantedReverse = false
