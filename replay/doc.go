// Package replay is the pure turn machine: it runs an orchestration function on a coroutine, matches what the code
// asks for with what history has, and returns what a turn decided.
//
// It owns coroutines and their order, futures, the turn loop, unwinding, nondeterminism detection and misuse
// detection. It must not know a clock, a random source, a disk, a network, a goroutine of its own, a logger, or who
// calls it: a turn's time, entropy and messages come in ([Input]), a [Decision] goes out.
//
// Invariants:
//   - The same history, time, entropy and messages give the same decision, byte for byte.
//   - A resident machine that advanced through turns and a fresh machine that was given their segments decide alike.
//   - Exactly one of engine and code runs at any moment.
//
// Start reading at [Machine.Advance], then at the turn loop.
package replay
