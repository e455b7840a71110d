package node

import (
	"github.com/turnstone-dev/turnstone/actors"
	"github.com/turnstone-dev/turnstone/persistence/pebble"
)

// Metrics are counts of a node since it was opened. The numbers rise, except those that say "now".
type Metrics struct {
	// Turns counts turns that were begun, EmptyTurns those that recorded no event, and Commits those that were recorded.
	Turns, EmptyTurns, Commits uint64
	// Loads are instances that were read from the store, and ReplayedEvents are the events that their code repeated.
	Loads, ReplayedEvents uint64
	// Active instances now; Passivations are instances that have left memory.
	Active, Passivations uint64
	// Resident instances now: in memory between their turns, with ResidentBytes. Evictions are those that had to leave for
	// others.
	Resident, ResidentBytes, Evictions uint64
	// MemoryBytes is the memory of instances now. MemoryWaits are instances that had to wait for memory.
	MemoryBytes, MemoryWaits uint64

	// Accepted are messages that were made durable before their turn: SlowAccepts of them because their turn did not come
	// within 10 ms, Overflows because too many waited already. Refused are requests that were answered with
	// turnstone.ErrBusy.
	Accepted, SlowAccepts, Overflows, Refused uint64
	// Deferred are messages that a turn left for a later one. InboxReads are reads of an inbox only, FullPages those that
	// filled their page.
	Deferred, InboxReads, FullPages uint64

	// Held instances now; HeldTurns were not recorded, because their code cannot be used. Unregistered are turns that were
	// postponed because no runtime has the handler.
	Held, HeldTurns, Unregistered uint64
	// Instances that were ended without their code: as poison, as unreadable, by a limit, and by a termination.
	Poisoned, Unreadable, Limited, Terminated uint64
	// Turns whose code blocked: reported, given up, and with a goroutine that could not be unwound. SpoiledTurns used their
	// context where they must not.
	ReportedTurns, AbandonedTurns, LeakedCoroutines, SpoiledTurns uint64
	// Queries that ran, and those that were given up because their code had not returned.
	Queries, AbandonedQueries uint64
	// CarefulTurns were leased before their code ran, as after a crash.
	CarefulTurns uint64

	// Refused commits, by error. No work is lost: the instance is read again.
	Conflicts, Stale, Fenced, LeasesLost, SecondActivations uint64
	// Uncertain are commits whose outcome was unknown when the node stopped.
	Uncertain uint64
	// EvictedInLoad and EvictedInAccept are evictions that came while the instance was read, or a message was made durable.
	EvictedInLoad, EvictedInAccept uint64
	// Restarts are actors of the engine that failed and were restarted, DeadLetters messages that reached no actor.
	Restarts, DeadLetters uint64
	// Retold are lost wake-ups, which were repeated; Contradictions are refusals which show that an instance had a wrong state
	// in memory. More than 0 of either is a defect of the engine.
	Retold, Contradictions uint64

	// Commands that the store applied, their batches, the syncs that made these durable, and reads.
	Commands, Batches, Syncs, Reads uint64
}

// Metrics returns the present numbers; it may be called at any time.
func (n *Node) Metrics() Metrics { return metricsOf(n.engine.Counters(), n.store.Metrics()) }

func metricsOf(e actors.Counters, s pebble.Metrics) Metrics {
	return Metrics{
		Turns: e.Turns, EmptyTurns: e.EmptyTurns, Commits: e.Commits, Loads: e.Loads, ReplayedEvents: e.ReplayedEvents,
		Active: e.Active, Passivations: e.Passivations, Resident: e.Resident, ResidentBytes: e.ResidentBytes,
		Evictions: e.Evictions, MemoryBytes: e.MemoryBytes, MemoryWaits: e.MemoryWaits,

		Accepted: e.Accepted, SlowAccepts: e.SlowAccepts, Overflows: e.Overflows, Refused: e.Refused,
		Deferred: e.Deferred, InboxReads: e.InboxReads, FullPages: e.FullPages,

		Held: e.Held, HeldTurns: e.HeldTurns, Unregistered: e.Unregistered, Poisoned: e.Poisoned,
		Unreadable: e.Unreadable, Limited: e.Limited, Terminated: e.Terminated, ReportedTurns: e.ReportedTurns,
		AbandonedTurns: e.AbandonedTurns, LeakedCoroutines: e.LeakedCoroutines, SpoiledTurns: e.SpoiledTurns,
		Queries: e.Queries, AbandonedQueries: e.AbandonedQueries, CarefulTurns: e.CarefulTurns,

		Conflicts: e.Conflicts, Stale: e.Stale, Fenced: e.Fenced, LeasesLost: e.LeasesLost,
		SecondActivations: e.SecondActivations, Uncertain: e.Uncertain, EvictedInLoad: e.EvictedInLoad,
		EvictedInAccept: e.EvictedInAccept, Restarts: e.Restarts, DeadLetters: e.DeadLetters, Retold: e.Retold,
		Contradictions: e.Contradictions,

		Commands: s.Commands, Batches: s.Batches, Syncs: s.Syncs, Reads: s.Views + s.Loads,
	}
}
