//go:build !planted

package replay

// Faults that the simulator plants, to prove that they would be found. This build does not have them.

// plantedOrder: coroutines run in another order in new turns than when they are replayed.
const plantedOrder = false

// plantedEffect: a side effect is computed again on replay.
const plantedEffect = false

// plantedPatch: a patch that was decided is decided anew in a new turn.
const plantedPatch = false

// plantedMailbox: an arrival that was kept stays after a wait has taken it.
const plantedMailbox = false

// plantedUndo: an undo step stays when it has begun, once, so it runs twice.
const plantedUndo = false

// plantedInputs: StrictInputs does nothing.
const plantedInputs = false

// plantedQuery: a query takes the id of an event.
const plantedQuery = false
