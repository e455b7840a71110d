package instance

import (
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/actors/internal/mailbox"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Partition is what an instance asks of its partition. Each method may be called from any goroutine.
type Partition interface {
	// Epoch is the partition's epoch, or 0 until one is durable. Careful reports whether the partition runs in careful mode:
	// every message is accepted before a turn takes it, and every turn is leased.
	Epoch() uint64
	Careful() bool
	// Consumers has the consumers that may run the partition's turns.
	Consumers() *consumer.List
	// Acknowledge answers a tell of the dispatcher.
	Acknowledge(a dispatch.Acknowledgement)
	// AdmitSuspect calls run when a suspect with so many attempts may start; release says that its turn is over. FreshPauseLeft is
	// the time until instances that are no suspects may start turns again.
	AdmitSuspect(attempts uint32, run func(release func()))
	FreshPauseLeft() time.Duration
	// WatchTurnLease renews a lease until stop is called or the lease is lost. If it is lost, lost is called once.
	WatchTurnLease(token persistence.Token, lost func()) (stop func())
	// GiveBackQuietly notes that a lease is about to be given back because nothing is left to do. GiveBackRefused takes that
	// note back, because the journal did not end the lease.
	GiveBackQuietly(iid persistence.Incarnation)
	GiveBackRefused(iid persistence.Incarnation)
}

// Engine is what instances ask of the engine that they run in.
type Engine interface {
	// Partition returns a partition of the journal.
	Partition(p persistence.Partition) Partition
	// Propose proposes a command to a partition's log, stamped with the time and this epoch. done gets the journal's answer.
	Propose(p persistence.Partition, epoch uint64, c persistence.Command, done func(persistence.Result))
	// Idle asks to leave the table of active instances; the activator refuses if it has sent more messages than received. Left
	// says that the actor has stopped itself.
	Idle(id string, pid *actor.PID, received uint64) bool
	Left()
	// TellActive sends a message to an instance if it is active.
	TellActive(id string, msg any) bool
	// Damaged fails the calls that wait for the end of a damaged instance.
	Damaged(id string, err error)
	// Park gives an idle instance a place in memory with so many bytes; the place takes over charge, what the instance has
	// taken from the memory budget. It returns false if the instance may not stay. Relieve evicts residents for an instance
	// that waits for memory.
	Park(r Resident, bytes int, charge int64) (Place, bool)
	Relieve()
}

// Resident is an instance that is idle in memory.
type Resident interface {
	// Evict tells the instance to leave. It never blocks.
	Evict()
}

// Place is the place of an instance among the residents.
type Place interface {
	// Leave gives the place up and hands the memory of the place back to the instance as its charge. It returns false if the
	// instance has been told to leave and the message is on its way.
	Leave() (charge int64, ok bool)
}

// Memory is the memory budget of reads. Take returns false if the bytes are not free now. Ask calls granted when the bytes have
// been taken. Back gives bytes back.
type Memory interface {
	Take(bytes int64) bool
	Ask(bytes int64, granted func())
	Back(bytes int64)
}

// Host is what all instances of an engine share.
type Host struct {
	turn.Shared
	Journal persistence.Journal
	Engine  Engine
	System  *mailbox.System
	Memory  Memory
	Run     consumer.Runner // runs user code outside of slots
	// Draining: the engine stops, and no turn starts any more.
	Draining *atomic.Bool

	source       view.Source
	acceptTimers *acceptTimers
	damaged      damaged
	tries        tryQueue
}

// Init makes a host ready. Its exported fields must be set before.
func (h *Host) Init() {
	c := &h.Config
	h.source = view.Source{Node: c.Node, Process: c.Process, Build: c.Build, Clock: c.Clock, BackoffMax: c.BackoffMax, Memory: h.Memory}
	h.acceptTimers = newAcceptTimers(h)
}

// Stop ends the host's timer. No instance may be active.
func (h *Host) Stop() { h.acceptTimers.stop() }

// DamageOf returns the damage of an instance, or nil if none is known.
func (h *Host) DamageOf(id string) error { return h.damaged.of(id) }

// ForgetDamage forgets the damage of an instance, because the instance has ended.
func (h *Host) ForgetDamage(id string) { h.damaged.forget(id) }

// now is the wall clock, for times that are stored and times that are compared with them.
func (h *Host) now() time.Time { return h.Config.Clock.Now() }

// elapsed is the clock for all other waits: it does not jump when the wall clock is set.
func (h *Host) elapsed() time.Duration { return h.Config.Clock.Elapsed() }

// propose proposes a command to the log of a partition under the partition's present epoch.
func (h *Host) propose(p persistence.Partition, c persistence.Command, done func(persistence.Result)) {
	h.Engine.Propose(p, h.Engine.Partition(p).Epoch(), c, done)
}
