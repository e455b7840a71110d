package turn

import "sync/atomic"

// Counters are the live counters of instances. The public type of the same name says what each counts.
type Counters struct {
	Turns, Commits, EmptyTurns                      atomic.Uint64
	Conflicts, Stale, Fenced, LeasesLost            atomic.Uint64
	SecondActivations, Uncertain                    atomic.Uint64
	Loads, ReplayedEvents                           atomic.Uint64
	Accepted, SlowAccepts, Overflows                atomic.Uint64
	CarefulTurns                                    atomic.Uint64
	ReportedTurns, AbandonedTurns, LeakedCoroutines atomic.Uint64
	SpoiledTurns, Poisoned, Unreadable, Limited     atomic.Uint64
	Unregistered, Passivations, HeldTurns           atomic.Uint64
	Terminated, Contradictions                      atomic.Uint64
	EvictedInLoad, EvictedInAccept, FullPages       atomic.Uint64
	MemoryWaits                                     atomic.Uint64
	Deferred, InboxReads                            atomic.Uint64
	Queries, AbandonedQueries                       atomic.Uint64
}
