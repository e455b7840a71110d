//go:build !planted

package partition

// Faults that the simulator plants, to prove that they would be found. This build does not have them.

// plantedUnserved: what an instance leaves until a consumer is attached counts as dealt with.
const plantedUnserved = false
