package actors

import (
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/actors/partition"
)

// Counters are counts of an engine since it started. They only rise, except Active, Held and Resident.
type Counters struct {
	// Turns that got a slot, and commits that the journal accepted.
	Turns   uint64
	Commits uint64
	// EmptyTurns committed no event.
	EmptyTurns uint64
	// Refusals of commits, by error.
	Conflicts  uint64
	Stale      uint64
	Fenced     uint64
	LeasesLost uint64
	// SecondActivations are commits that failed because another activation of the instance had committed before.
	SecondActivations uint64
	// Uncertain are proposals whose outcome was unknown when the journal stopped.
	Uncertain uint64
	// Loads from the journal, and the events that were replayed by them.
	Loads          uint64
	ReplayedEvents uint64
	// Evictions of resident machines; Resident and ResidentBytes are what is resident now.
	Evictions     uint64
	Resident      uint64
	ResidentBytes uint64
	// MemoryWaits are instances that waited for memory before they were read. MemoryBytes is the memory in use now, including
	// that of residents.
	MemoryWaits uint64
	MemoryBytes uint64
	// Accepted are messages that were made durable before their turn; SlowAccepts of them because they had been held for
	// 10 ms, Overflows because the buffer was full.
	Accepted    uint64
	SlowAccepts uint64
	Overflows   uint64
	// CarefulTurns were leased before their code ran.
	CarefulTurns uint64
	// ReportedTurns blocked for a second, AbandonedTurns were given up, LeakedCoroutines could not be unwound.
	ReportedTurns    uint64
	AbandonedTurns   uint64
	LeakedCoroutines uint64
	SpoiledTurns     uint64
	// Poisoned and Unreadable instances, and those that a limit ended.
	Poisoned   uint64
	Unreadable uint64
	Limited    uint64
	// HeldTurns were not recorded, because no usable code is attached. Held is how many instances are held now.
	HeldTurns uint64
	Held      uint64
	// Terminated instances.
	Terminated uint64
	// Unregistered are turns that were held back because no consumer has the handler.
	Unregistered uint64
	// Retold counts lost wake-ups: the dispatcher had to repeat a tell, because the instance did not know it. More than 0 is a
	// defect, which delays the instance.
	Retold uint64
	// Contradictions are refusals of the journal which show that an instance had a wrong state in memory.
	Contradictions uint64
	// EvictedInLoad and EvictedInAccept are evictions that came while the instance read the journal, or waited for the
	// acceptance of a message. FullPages are inbox reads that filled their page.
	EvictedInLoad   uint64
	EvictedInAccept uint64
	FullPages       uint64
	// Deferred are messages that a turn could have consumed and did not, InboxReads are reads of an inbox only.
	Deferred   uint64
	InboxReads uint64
	// Queries that got a slot, and those that were given up because their code had not returned.
	Queries          uint64
	AbandonedQueries uint64
	// Refused are requests that admission answered with ErrBusy.
	Refused uint64
	// Passivations are instances that left, Restarts are actors that failed and were restarted, DeadLetters are messages that
	// reached no actor. Active is how many instances are active now.
	Passivations uint64
	Restarts     uint64
	DeadLetters  uint64
	Active       uint64
}

// counters are those of the engine itself.
type counters struct{ evictions, refused, retold atomic.Uint64 }

// Counters is a snapshot; it may be taken at any time.
func (e *Engine) Counters() Counters {
	c, own := &e.instances.Counts, &e.counts
	resident, bytes := e.residents.totals()
	return Counters{
		Turns: c.Turns.Load(), Commits: c.Commits.Load(), EmptyTurns: c.EmptyTurns.Load(),
		Conflicts: c.Conflicts.Load(), Stale: c.Stale.Load(), Fenced: c.Fenced.Load(), LeasesLost: c.LeasesLost.Load(),
		SecondActivations: c.SecondActivations.Load(), Uncertain: c.Uncertain.Load(),
		Loads: c.Loads.Load(), ReplayedEvents: c.ReplayedEvents.Load(), Evictions: own.evictions.Load(),
		Resident: resident, ResidentBytes: bytes,
		MemoryWaits: c.MemoryWaits.Load(), MemoryBytes: uint64(max(e.memory.used.Load(), 0)),
		Accepted: c.Accepted.Load(), SlowAccepts: c.SlowAccepts.Load(), Overflows: c.Overflows.Load(),
		CarefulTurns:  c.CarefulTurns.Load(),
		ReportedTurns: c.ReportedTurns.Load(), AbandonedTurns: c.AbandonedTurns.Load(),
		LeakedCoroutines: c.LeakedCoroutines.Load(), SpoiledTurns: c.SpoiledTurns.Load(),
		Poisoned: c.Poisoned.Load(), Unreadable: c.Unreadable.Load(), Limited: c.Limited.Load(),
		Retold: own.retold.Load(), Contradictions: c.Contradictions.Load(),
		EvictedInLoad: c.EvictedInLoad.Load(), EvictedInAccept: c.EvictedInAccept.Load(), FullPages: c.FullPages.Load(),
		Deferred: c.Deferred.Load(), InboxReads: c.InboxReads.Load(),
		Queries: c.Queries.Load(), AbandonedQueries: c.AbandonedQueries.Load(),
		Terminated: c.Terminated.Load(), HeldTurns: c.HeldTurns.Load(), Held: e.heldCount(),
		Unregistered: c.Unregistered.Load(), Refused: own.refused.Load(), Passivations: c.Passivations.Load(),
		Restarts: e.sys.Restarts(), DeadLetters: e.sys.DeadLetters(), Active: uint64(e.act.count()),
	}
}

// ActivityCounters is a snapshot over all partitions; it may be taken at any time.
func (e *Engine) ActivityCounters() (sum partition.Counters) {
	for _, p := range e.parts {
		p.AddCounters(&sum)
	}
	return sum
}

// heldCount returns how many instances are held in the partitions that are served here.
func (e *engine) heldCount() (n uint64) {
	for _, p := range e.parts {
		n += p.Held()
	}
	return n
}
