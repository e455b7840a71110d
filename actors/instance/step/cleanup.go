package step

import (
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/logkey"
)

// logCleanup says that the undo steps of an instance have begun, and which of them failed.
func (in *Machine) logCleanup(t *turn.Turn) {
	if why := t.Decision.CleansUp; why != nil {
		in.host.Config.Logger.Info("an instance ends and runs its undo steps", logkey.Instance, in.id,
			logkey.Orchestration, t.Name, logkey.Version, t.Version, logkey.Error, failure.Display(why))
	}
	for _, why := range t.Decision.FailedSteps {
		in.host.Config.Logger.Error("an undo step failed; the others run", logkey.Instance, in.id,
			logkey.Orchestration, t.Name, logkey.Version, t.Version, logkey.Error, failure.Display(why))
	}
}
