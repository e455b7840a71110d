package actors

import (
	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
)

// partitionPort is the part of the engine that partitions use.
type partitionPort struct{ e *Engine }

// Tell sends an action of the dispatcher to its instance.
func (p partitionPort) Tell(a dispatch.Action) error { return p.e.tell(a.ID, step.NewTold(&a)) }

// TellResult sends an instance the result of an activity.
func (p partitionPort) TellResult(id string, r consumer.Result) error {
	return p.e.tell(id, arrival.NewResult(r))
}

// Ended passes the end to the waiters.
func (p partitionPort) Ended(end persistence.EndEffect) { p.e.ended(end) }

// Lost counts a lost wake-up.
func (p partitionPort) Lost(id string) { p.e.countLost(id) }

// Propose stamps a command.
func (p partitionPort) Propose(to persistence.Partition, epoch uint64, c persistence.Command, done func(persistence.Result)) {
	p.e.proposeAs(to, epoch, c, done)
}

// countLost counts a wake-up that was lost in an instance or on the way to it.
func (e *Engine) countLost(id string) {
	e.counts.retold.Add(1)
	e.cfg.Logger.Error("an instance had to be told again that it has something to do", logkey.Instance, id)
}
