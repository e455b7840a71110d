// Package persistence is the port to the journal: the commands that change durable state, their results and effects,
// the reads, and the vocabulary of refusals and errors. Implementations live in packages below it.
//
// The journal is a deterministic state machine behind one log for each partition. Every change of durable state is
// one [Command] that carries its own time, epoch and limits; applying the same commands in the same order to the same
// state gives the same state and the same results on any machine. Messages, events and payloads are opaque bytes here.
//
// It must not know how state is stored, what a message or an event means, what an orchestration is, or what time it is.
//
// Invariants that every implementation keeps, and that persistencetest proves:
//   - A command is applied whole or not at all, once, in index order.
//   - done is called exactly once for each proposal, in index order within a partition, and only when that index is
//     durable. Nothing that a result or a View showed is ever taken back.
//   - Every commit is fenced: by (incarnation, execution, turn) and then by a live lease's token or the current epoch.
//   - Damage is an error that names the place, never a shorter history.
//
// Start reading at [Journal], then at [CommitTurn].
package persistence
