//go:build !planted

package replay

// plantedOrder is a fault that the simulator plants, to prove that it would be found: coroutines run in another order
// in new turns than when they are replayed. This build does not have it.
const plantedOrder = false
