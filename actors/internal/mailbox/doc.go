// Package mailbox holds Proto.Actor the way this module needs it: our mailbox and dispatcher behind the library's
// interfaces, our supervision, the executor that runs actors, and the one place that makes Props.
//
// It must not know what the actors do. What an actor keeps over its own restarts is a [Carryover].
//
// Invariants:
//   - At most one run of an actor is scheduled or running at any time, and none before it has started.
//   - A message that is sent is handled or counted as a dead letter.
//   - An actor that panics is started again and keeps its queue; the message that panicked is lost to the queue, and is
//     found in the actor's Carryover.
//
// Start reading at [System].
package mailbox
