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
// # The turn loop
//
// One loop serves fresh turns and replay. The next event of history, old or just made from a message, is applied; if
// that made something ready, code runs until it rests; then comes the next event. An event that schedules something is
// matched with the oldest action that code has emitted. When history has ended, the oldest emitted action makes its
// own event, which is applied in the same way, until no action is left. What binding an action delivers at once (a
// kept arrival, the answer of an inline system activity) is delivered in that step, in both cases.
//
// # How an execution ends
//
// By rank: a failure of the turn (nondeterminism, an infrastructure or poison failure of something it waits for, a
// limit), a cancel, a panic, continue-as-new, the handler's return. Children whose policy is wait hold every end but
// the first; while it is held no code runs. A failure of something that the code waits for ends the execution where its
// event is applied, in order, and only if the code has not given it up and nothing else has ended the execution before.
//
// Start reading at [Machine.Advance] (machine.go), then apply.go (an event meets code), bind.go (an action meets its
// event), settle.go (a turn ends), coroutine.go and unwind.go (who runs, and how it stops), compose.go (waiting for
// several things, cancelling).
package replay
