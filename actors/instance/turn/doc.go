// Package turn is one turn of an instance, from the messages that it consumes to its commit: the input, the run of the
// author's code in a slot, and the command that records what the code decided.
//
// It must not know what led to the turn or what follows it, and it proposes nothing.
//
// Invariants:
//   - While a turn is in a slot, only the slot touches the fields of its run. Before and after that, only the instance does.
//   - A turn that was given up stays with its slot for ever, because its code may still run.
//   - The commit names each message that the turn consumed once, and none that it left.
//
// Start reading at turn.go (what it consumes), then slot.go and Execute (the run), then commit.go (the command).
package turn
