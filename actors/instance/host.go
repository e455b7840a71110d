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

// Partition is what an instance asks of its partition. All of it may be called from any goroutine.
type Partition interface {
	// Epoch is 0 until one is durable. Careful: every message is accepted first and every turn leased.
	Epoch() uint64
	Careful() bool
	// Consumers are those that may run its turns.
	Consumers() *consumer.List
	// Acknowledge answers what the dispatcher has told.
	Acknowledge(a dispatch.Acknowledgement)
	// AdmitSuspect calls run when a suspect with so many attempts may start; release says that its turn is over. HushLeft
	// is how long nothing else may start.
	AdmitSuspect(attempts uint32, run func(release func()))
	HushLeft() time.Duration
	// WatchTurnLease renews a lease until it is stopped or lost.
	WatchTurnLease(token persistence.Token, lost func()) (stop func())
	// GiveBackQuietly notes that a lease is given back because nothing is left to do, GiveBackRefused that it was not.
	GiveBackQuietly(iid persistence.Incarnation)
	GiveBackRefused(iid persistence.Incarnation)
}

// Engine is what instances ask of the engine that they run in.
type Engine interface {
	// Partition is a partition of the journal.
	Partition(p persistence.Partition) Partition
	// Propose puts a command into a partition's log, stamped with the time and this epoch.
	Propose(p persistence.Partition, epoch uint64, c persistence.Command, done func(persistence.Result))
	// Idle asks to leave the table of active instances; see activator.idle. Left says that the actor has stopped itself.
	Idle(id string, pid *actor.PID, received uint64) bool
	Left()
	// TellActive sends a message to an instance if it is active.
	TellActive(id string, msg any) bool
	// AnyConsumer says whether a consumer that runs turns is attached.
	AnyConsumer() bool
	// Damaged tells those that wait for the end of an instance what is damaged of it.
	Damaged(id string, err error)
	// Park lets an idle instance stay in memory, with so many bytes; charge is what it has taken of the memory so far.
	// Relieve makes others leave for one that waits for memory.
	Park(r Resident, bytes int, charge int64) (Place, bool)
	Relieve()
}

// Resident is an instance that is idle in memory.
type Resident interface {
	// Evict tells it to leave. It never blocks.
	Evict()
}

// Place is that of a resident among the others.
type Place interface {
	// Leave gives the place up, and back what the instance takes of the memory. False: it has been told to leave, and the
	// message is on its way.
	Leave() (charge int64, ok bool)
}

// Memory is the budget of what is read.
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
	Run     consumer.Runner // of turns
	// Draining: the engine stops, and no turn starts any more. Attaches counts the consumers that have been attached: each
	// is a reason to try again what is held.
	Draining *atomic.Bool
	Attaches *atomic.Uint64

	source       view.Source
	acceptTimers *acceptTimers
	damaged      damaged
	tries        tryQueue
}

// Init makes a host ready, once its exported fields are set.
func (h *Host) Init() {
	c := &h.Config
	h.source = view.Source{Node: c.Node, Process: c.Process, Build: c.Build, Clock: c.Clock, BackoffMax: c.BackoffMax, Memory: h.Memory}
	h.acceptTimers = newAcceptTimers(h)
}

// Stop ends the host's timer. No instance may be active.
func (h *Host) Stop() { h.acceptTimers.stop() }

// DamageOf is what is damaged of an instance; nil if it is not known to be damaged.
func (h *Host) DamageOf(id string) error { return h.damaged.of(id) }

// ForgetDamage says that an instance has ended.
func (h *Host) ForgetDamage(id string) { h.damaged.forget(id) }

// now is the wall clock: for what is stored, and for what is compared with it.
func (h *Host) now() time.Time { return h.Config.Clock.Now() }

// elapsed is for everything else that is waited for: it does not jump when the wall clock is set.
func (h *Host) elapsed() time.Duration { return h.Config.Clock.Elapsed() }

// propose puts a command into the log of a partition under its present epoch.
func (h *Host) propose(p persistence.Partition, c persistence.Command, done func(persistence.Result)) {
	h.Engine.Propose(p, h.Engine.Partition(p).Epoch(), c, done)
}
