// Package mailbox holds Proto.Actor the way this module needs it: our mailbox and dispatcher behind the library's
// interfaces, our supervision, the executor that runs actors, and the one place that makes Props.
//
// It must not know what the actors do. An actor keeps its state across restarts in a [Carryover].
//
// Invariants:
//   - At most one run of an actor is scheduled or running at any time, and none before it has started.
//   - A message that is sent is handled or counted as a dead letter.
//   - An actor that panics is restarted and keeps its queue. The message that panicked is no longer in the queue; the actor's
//     Carryover has it.
//
// Start reading at [System].
package mailbox
