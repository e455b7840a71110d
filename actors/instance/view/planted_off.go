//go:build !planted

package view

// Faults that the simulator plants, to prove that they would be found. This build does not have them.

// plantedPage: a full page of an inbox says that one more row exists.
const plantedPage = false

// plantedReverse: a turn takes the messages of an inbox in reverse.
const plantedReverse = false
