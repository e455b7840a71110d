// Package dispatch is the pure scheduling logic of a partition: which instance is told that it has something to do,
// which consumer gets which activity, which timer is due, when a lease is renewed, what waits in an outbox.
//
// It owns the order of work, backoff, careful mode's rules, and the bounds of what is held in memory. It must not know
// a clock, a goroutine, a lock, a disk, an actor, or how a message is delivered. The time is a parameter of every call.
// The journal's rows come in as pages of scans, and then as effects in index order. Decisions come out as actions
// ([Dispatcher.Actions]) and grants ([Dispatcher.Next]).
//
// Invariants:
//   - No activity is granted twice within an epoch unless it was given back in between.
//   - No row is lost: a scan finds again the rows that did not fit into memory.
//   - No queue family is iterated on the hot path; the dispatcher asks for a scan at the open and when its queues run low.
//   - No timer is due early. Work of one name is granted oldest first.
//   - The same inputs give the same actions: no map is ever iterated.
//
// Builds with the tag invariants check the contents of the queues after each Tick (invariants.go).
//
// Start reading at [Dispatcher], then in the file of a queue: readyqueue, work, timers, streams and outbox.
package dispatch
