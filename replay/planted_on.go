//go:build planted

package replay

// plantedOrder: coroutines run in another order in new turns than when they are replayed.
var plantedOrder bool

// PlantOrder plants the fault, or takes it away. No machine may run meanwhile.
func PlantOrder(on bool) { plantedOrder = on }

// plantedEffect: a side effect is computed again on replay.
var plantedEffect bool

// PlantEffect plants the fault, or takes it away. No machine may run meanwhile.
func PlantEffect(on bool) { plantedEffect = on }

// plantedPatch: a patch that was decided is decided anew in a new turn.
var plantedPatch bool

// PlantPatch plants the fault, or takes it away. No machine may run meanwhile.
func PlantPatch(on bool) { plantedPatch = on }

// plantedMailbox: an arrival that was kept stays after a wait has taken it.
var plantedMailbox bool

// PlantMailbox plants the fault, or takes it away. No machine may run meanwhile.
func PlantMailbox(on bool) { plantedMailbox = on }

// plantedUndo: an undo step stays when it has begun, once, so it runs twice.
var plantedUndo bool

// PlantUndo plants the fault, or takes it away. No machine may run meanwhile.
func PlantUndo(on bool) { plantedUndo = on }

// plantedInputs: StrictInputs does nothing.
var plantedInputs bool

// PlantInputs plants the fault, or takes it away. No machine may run meanwhile.
func PlantInputs(on bool) { plantedInputs = on }

// plantedQuery: a query takes the id of an event.
var plantedQuery bool

// PlantQuery plants the fault, or takes it away. No machine may run meanwhile.
func PlantQuery(on bool) { plantedQuery = on }
