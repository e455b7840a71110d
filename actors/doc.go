// Package actors is the engine: it runs the instances of one journal in this process.
//
// It owns admission, the activator, the residency, the memory budget and the waiters for ends; it makes the partitions and
// attaches consumers. Its rooms are instance, partition, consumer and internal/mailbox; only it knows all of them. It must
// not know how the journal stores anything.
//
// Invariants:
//   - Senders address the activator, never an instance's PID; an instance leaves only by the handshake of counts.
//   - No actor blocks: the answer to a request of a port is a message.
//   - Correctness does not depend on an actor being unique: the journal's fences refuse a second one.
//   - An active instance, an admitted request, a resident and its memory are counted once when they come and once when they go.
//
// Start reading at [Engine], then at package instance.
package actors
