//go:build planted

package sim

import (
	"github.com/turnstone-dev/turnstone/actors"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/actors/partition"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence/pebble"
	"github.com/turnstone-dev/turnstone/replay"
)

// These faults lie inside other packages, in builds with the tag planted only.
func init() {
	plantable["wrong coroutine order"] = func() *planted { return &planted{inside: replay.PlantOrder} }
	plantable["compute a side effect again"] = func() *planted { return &planted{inside: replay.PlantEffect} }
	plantable["run an undo step twice"] = func() *planted { return &planted{inside: replay.PlantUndo} }
	plantable["decide a patch anew"] = func() *planted { return &planted{inside: replay.PlantPatch} }
	plantable["give a message twice"] = func() *planted { return &planted{inside: replay.PlantMailbox} }
	plantable["keep the values of a refused turn"] = func() *planted { return &planted{inside: pebble.PlantValues} }
	plantable["lose a watcher"] = func() *planted { return &planted{inside: pebble.PlantWatchers} }
	plantable["forget that inputs are strict"] = func() *planted { return &planted{inside: replay.PlantInputs} }
	plantable["a query takes the id of an event"] = func() *planted { return &planted{inside: replay.PlantQuery} }
	plantable["hold beside an attach"] = func() *planted { return &planted{inside: step.PlantAttach} }
	plantable["hold in the step of an attach"] = func() *planted { return &planted{inside: dispatch.PlantTryHeld} }
	plantable["drop the turn's position"] = func() *planted { return &planted{inside: pebble.PlantPosition} }
	plantable["wait for what is over"] = func() *planted { return &planted{inside: actors.PlantOpen} }
	plantable["evict what has news"] = func() *planted { return &planted{inside: step.PlantEviction} }
	plantable["a full page invents a row"] = func() *planted { return &planted{inside: view.PlantPage} }
	plantable["keep a contradicted belief"] = func() *planted { return &planted{inside: step.PlantBelief} }
	plantable["forget what a held instance waits for"] = func() *planted { return &planted{inside: dispatch.PlantParked} }
	plantable["forget what is unserved"] = func() *planted { return &planted{inside: partition.PlantUnserved} }
	plantable["leave without counting"] = func() *planted { return &planted{inside: actors.PlantLeave} }
	plantable["take messages in reverse"] = func() *planted { return &planted{inside: view.PlantReverse} }
}
