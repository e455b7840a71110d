// Package turn is one turn of an instance, from the messages that it consumes to its commit: the input, the run of the
// author's code in a slot, and the command that records what the code decided.
//
// It must not know what led to the turn or what follows it, and it proposes nothing.
//
// Invariants:
//   - While a turn is in a slot, only the slot touches the fields of its run. Before and after that, only the instance does.
//   - A turn that was given up stays with its slot for ever, because its code may still run.
//   - The commit names each message that the turn consumed once, and no message that it left.
//
// Start reading at turn.go (the messages and the run, Execute), then slot.go (its way to a slot and back), then commit.go
// (the command).
package turn
