package actors

import "sync/atomic"

// instanceCounters are the live counters of instances; Counters says what each counts.
type instanceCounters struct {
	turns, commits, emptyTurns                      atomic.Uint64
	conflicts, stale, fenced, leasesLost            atomic.Uint64
	secondActivations, uncertain                    atomic.Uint64
	loads, replayedEvents                           atomic.Uint64
	accepted, slowAccepts, overflows                atomic.Uint64
	carefulTurns                                    atomic.Uint64
	reportedTurns, abandonedTurns, leakedCoroutines atomic.Uint64
	spoiledTurns, poisoned, unreadable, limited     atomic.Uint64
	unregistered, passivations, heldTurns           atomic.Uint64
	terminated, contradictions                      atomic.Uint64
	evictedInLoad, evictedInAccept, fullPages       atomic.Uint64
	memoryWaits                                     atomic.Uint64
	deferred, inboxReads                            atomic.Uint64
}
