// Package actors is the shell around the pure rooms: the actors that take messages one at a time, ask the journal's
// port, have user code run in slots, and let effects out only after their commit.
//
// It owns the activator, the instance actor, turn and activity slots, the partition actor with its dispatcher, and the
// supervisors of leases, backoff and cancellation. It must not know how the journal stores anything, and it makes
// Proto.Actor props in one place only.
//
// Invariants:
//   - Senders address the activator, never an instance's PID; an instance leaves only by the counting handshake.
//   - No actor blocks: every request to a port comes back as a message.
//   - Nothing that a turn decided is visible before its commit is durable.
//   - Correctness never depends on an actor being unique: the journal's fence decides.
//
// Start reading at [Engine], then at the instance actor.
package actors
