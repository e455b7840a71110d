package actors

import (
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Release lets an instance that is held run again at once. reply gets an error that wraps persistence.ErrNotFound,
// ErrEnded, ErrBusy, ErrNotLeader or ErrUncertain. One that is not held stays as it is.
func (e *Engine) Release(id string, reply func(error)) {
	size, err := e.enter(id, 0)
	if err != nil {
		reply(err)
		return
	}
	e.propose(e.journal.PartitionOf(id), &persistence.ReleaseTurn{ID: id}, func(r persistence.Result) {
		e.admission.leave(size)
		if r.Err == nil && r.Released {
			e.cfg.Logger.Info("an instance that was held has been released", logkey.Instance, id)
			e.act.tellActive(id, &step.Freed{}) // a try under way began before the release
		}
		reply(notProposed(r.Err))
	})
}

// notProposed adds ErrNotLeader to the error of a journal that stopped before a proposal: nothing was written.
func notProposed(err error) error {
	if errors.Is(err, persistence.ErrStopped) && !errors.Is(err, persistence.ErrUncertain) {
		return fmt.Errorf("%w: %w", persistence.ErrNotLeader, err)
	}
	return err
}
