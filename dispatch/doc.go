// Package dispatch is the pure scheduling logic of a partition: which instance is told that it has something to do,
// which consumer gets which activity, which timer is due, when a lease is renewed, what waits in an outbox.
//
// It owns the order of work, backoff, careful mode's rules, and the bounds of what is held in memory. It must not know
// a clock, a goroutine, a lock, a disk, an actor, or how a message is delivered: the time comes in with every call,
// what the journal holds comes in as the pages of a scan and then as effects in index order, and what must be done
// comes out as actions ([Dispatcher.Actions]) and grants ([Dispatcher.Next]).
//
// Invariants:
//   - Nothing is handed out twice within an epoch unless it was given back in between.
//   - Nothing is lost: what does not fit in memory is found again by a scan that the dispatcher asks for.
//   - No queue family is iterated on the hot path; a scan is asked for at the open and when memory runs low.
//   - No timer is due early, work of one name is handed out oldest first.
//   - The same inputs give the same actions: no map is ever iterated.
//
// What can be seen of the queues' own contents is checked after each Tick in builds with the tag invariants
// (invariants.go).
//
// Start reading at [Dispatcher], then at the file of the queue you are after: tells, work, timers, streams and outbox.
package dispatch
