// Package sim runs one whole node on one thread by seed: clients, the engine's actors, the dispatchers, the replay core
// and the journal on a file system that can be cut off at any moment. A seed decides everything, so a failure is
// repeated by one command:
//
//	go test ./sim -run 'TestSim$' -seed=N -v
//
// It owns the scheduler ([World]), the virtual clock, the random orchestration programs and their interpreter, the
// faults, the model of what clients were told, and the invariants. It must not be known by any other package, and it
// knows no internals: it drives the node through the seams that a real process uses.
//
// Invariants of the simulator itself:
//   - Every step is drawn from what could happen next, by the seed alone; the same seed gives the same trace.
//   - User code runs on a goroutine that the driver waits for; nothing else runs meanwhile.
//   - A crash is exact: what was not synced is gone, and nobody hears anything more from the old process.
//   - A run fails if a check fails, or if something cannot happen any more although it must (liveness).
//
// What it cannot produce: two nodes, a network, damage on the disk, an error of the file system anywhere but at the
// journal's sync, a crash during a flush or a compaction (the crash sweep has those), threads that really overlap (the
// race detector has those).
//
// Start reading at [Run], then at [World].
package sim
