// Package actors is the engine: it runs the instances of one journal in this process.
//
// It owns admission, the activator, the residency, the memory budget and those that wait for ends; it makes the
// partitions and attaches consumers. Its rooms are instance, partition, consumer and internal/mailbox; only it knows all
// of them. It must not know how the journal stores anything.
//
// Invariants:
//   - Senders address the activator, never an instance's PID; an instance leaves only by the counting handshake.
//   - No actor blocks: every request to a port comes back as a message.
//   - Correctness never depends on an actor being unique: the journal's fence decides.
//   - What is active, admitted, resident or taken of the memory is counted once when it comes and once when it goes.
//
// Start reading at [Engine], then at package instance.
package actors
