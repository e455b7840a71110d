// Package partition is one partition of the journal that is led here: it opens an epoch, drives the dispatcher, tells
// instances what waits for them, runs activities in the slots of consumers, and delivers what goes to other partitions.
//
// It owns the supervisors of leases, backoff and cancellation, each a part of the partition's actor, and the [Probation]
// of what ran when a process ended uncleanly. It must not know instances: it reaches them through [Engine] only.
//
// Invariants:
//   - The dispatcher is fed by the scans of the epoch's open and by effects, in log order, and by nothing else.
//   - Everything that acts under an epoch ends with it; a step that panics costs the epoch.
//   - An activity's slot is held until its code has ended or was given up.
//   - What runs, is answered, is leased or waits for its admission is held by the one serving of the epoch, and counted there.
//
// Start reading at [Partition], then at the serving of an epoch (serve.go).
package partition
