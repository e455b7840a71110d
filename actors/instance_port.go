package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/turnstone-dev/turnstone/actors/instance"
	"github.com/turnstone-dev/turnstone/persistence"
)

// instancePort is the part of the engine that instances use.
type instancePort struct{ e *Engine }

// Partition returns a partition of the journal.
func (p instancePort) Partition(id persistence.Partition) instance.Partition { return p.e.parts[id] }

// Propose stamps a command.
func (p instancePort) Propose(to persistence.Partition, epoch uint64, c persistence.Command, done func(persistence.Result)) {
	p.e.proposeAs(to, epoch, c, done)
}

// Idle is the handshake with the activator.
func (p instancePort) Idle(id string, pid *actor.PID, received uint64) bool {
	return p.e.act.idle(id, pid, received)
}

// Left says that an instance has left.
func (p instancePort) Left() { p.e.instanceLeft() }

// TellActive sends through the activator.
func (p instancePort) TellActive(id string, msg any) bool { return p.e.act.tellActive(id, msg) }

// Damaged passes the damage to the waiters.
func (p instancePort) Damaged(id string, err error) { p.e.waiters.damaged(id, err) }

// Park asks the residency.
func (p instancePort) Park(r instance.Resident, bytes int, charge int64) (instance.Place, bool) {
	return p.e.residents.park(r, bytes, charge)
}

// Relieve asks the residency.
func (p instancePort) Relieve() { p.e.residents.relieve() }
