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
//   - A crash is exact: what was not synced is gone, and the old process sends nothing more.
//   - A run fails if a check fails, or if something cannot happen any more although it must (liveness).
//
// What it checks, by the names that a failure gives: S1 nothing acknowledged is lost; S2 a result or an event is
// recorded once, and is one that was really given; code is given a message once, and what no wait has taken is carried into
// the next execution; S3 histories are gapless and only grow; S4 a fresh machine decides
// the same bytes, and the engine fails no program; S5 one chain of commits under rising epochs; S6 nothing is seen or
// run before it is durable; S7 parents record what their children ended with; S8 what was shown holds, and a query is answered
// with what the code knows after a turn that is durable; S9 an end is an
// end; S10 an id has one incarnation; S11 events of one name, and messages of one queue, that one sender sends one
// after the other keep their order; S12 the undo steps of an execution that does not end well run once each, the last one
// first, and no others do; S13 a run of an activity is told of the newest heartbeat that can be known; S14
// code whose inputs do not fit is given nothing; L1 everything comes to its end; L2 timers are neither early nor late; L3 queues
// drain and instances leave; attempts: code that kills its process runs a bounded number of times.
//
// [RunWays] runs programs whose end no order can change: straight, killed after each turn, with nothing left in memory
// after a turn, and with completions in any order. They must do the same and end alike.
//
// Faults planted on purpose ([PlantedNames]) prove that these checks find something; nineteen of them lie inside other
// packages and need a build with the tag planted.
//
// Reads of the journal take time, in two halves: until the store is asked, and until its answer comes. What happens in
// between is drawn like everything else: evictions, tells, commits of others. A process that nothing was lost on its way
// to must never have to be told again what it has to do (actors.Counters.Retold). When the faults end, the run is left
// alone for ten minutes: what was not told of is forgotten then, and not found again by a client's next event.
//
// What it cannot produce: two nodes, a network, damage on the disk, an error of the file system anywhere but at the
// journal's sync and reads, a crash during a flush or a compaction (the crash sweep has those), threads that really
// overlap (the race detector has those).
//
// Start reading at [Run], then at [World].
package sim
