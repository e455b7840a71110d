// Package partition is one partition of the journal that is led here: it opens an epoch, drives the dispatcher, wakes
// instances that have something to do, runs activities in the slots of consumers, and delivers messages to other
// partitions.
//
// It owns the supervisors of leases, backoff and cancellation, each a part of the partition's actor, and the [Probation] of
// suspects. It must not know instances: it reaches them through [Engine] only.
//
// Invariants:
//   - The dispatcher knows rows from the scans of the epoch's open and from effects, in log order, and from nowhere else.
//   - What acts under an epoch ends with it; a step that panics ends the epoch.
//   - An activity's slot is held until its code has ended or was given up.
//   - What runs, is answered, is leased or waits for its admission is held by the one serving of the epoch, and counted there.
//
// Start reading at [Partition], then at the serving of an epoch (serve.go).
package partition
