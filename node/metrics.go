package node

import (
	"github.com/turnstone-dev/turnstone/actors"
	"github.com/turnstone-dev/turnstone/persistence/pebble"
)

// Metrics are what a node has done since it was opened. The numbers rise, except those that say "now".
type Metrics struct {
	// Turns that were begun, those that recorded no event, and commits of turns.
	Turns, EmptyTurns, Commits uint64
	// Loads are instances that were read from the store, and ReplayedEvents are the events that their code repeated.
	Loads, ReplayedEvents uint64
	// Active instances now; Passivations are instances that have left memory since they were active.
	Active, Passivations uint64
	// Resident instances now: in memory between their turns, with ResidentBytes. Evictions had to leave for others.
	Resident, ResidentBytes, Evictions uint64
	// MemoryBytes are taken by instances now. MemoryWaits are instances that had to wait for memory.
	MemoryBytes, MemoryWaits uint64

	// Accepted are messages that were made durable before their turn: SlowAccepts of them since their turn did not come
	// within 10 ms, Overflows since too many waited already. Refused are requests that were answered with
	// turnstone.ErrBusy.
	Accepted, SlowAccepts, Overflows, Refused uint64
	// Deferred are messages that a turn left for a later one. InboxReads are reads of an inbox alone, FullPages those that
	// were as long as they may be.
	Deferred, InboxReads, FullPages uint64

	// Held instances now; HeldTurns were not recorded, because their code cannot be used. Unregistered are turns that were
	// put off because no runtime has the handler.
	Held, HeldTurns, Unregistered uint64
	// Instances that were ended without their code: as poison, as unreadable, by a limit, and by a termination.
	Poisoned, Unreadable, Limited, Terminated uint64
	// Turns whose code blocked: reported, given up, and with a goroutine that could not be unwound. SpoiledTurns used their
	// context where they must not.
	ReportedTurns, AbandonedTurns, LeakedCoroutines, SpoiledTurns uint64
	// CarefulTurns were leased before their code ran, as after a crash.
	CarefulTurns uint64

	// What commits were refused with. None of it is lost: the instance is read again.
	Conflicts, Stale, Fenced, LeasesLost, SecondActivations uint64
	// Uncertain are commits whose outcome was unknown when the node stopped.
	Uncertain uint64
	// EvictedInLoad and EvictedInAccept are evictions that came while the instance was read, or a message was made durable.
	EvictedInLoad, EvictedInAccept uint64
	// Restarts are parts of the engine that failed and were started again, DeadLetters messages that reached none.
	Restarts, DeadLetters uint64
	// Retold are instances that lost what they were told and were told again; Contradictions are refusals that say that an
	// instance knew something that is not so. Anything above 0 is a defect of the engine.
	Retold, Contradictions uint64

	// Commands that the store took, the batches that they were written in, the syncs that made these durable, and reads.
	Commands, Batches, Syncs, Reads uint64
}

// Metrics is a snapshot; it may be taken at any time.
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
		CarefulTurns: e.CarefulTurns,

		Conflicts: e.Conflicts, Stale: e.Stale, Fenced: e.Fenced, LeasesLost: e.LeasesLost,
		SecondActivations: e.SecondActivations, Uncertain: e.Uncertain, EvictedInLoad: e.EvictedInLoad,
		EvictedInAccept: e.EvictedInAccept, Restarts: e.Restarts, DeadLetters: e.DeadLetters, Retold: e.Retold,
		Contradictions: e.Contradictions,

		Commands: s.Commands, Batches: s.Batches, Syncs: s.Syncs, Reads: s.Views + s.Loads,
	}
}
