// Package step decides what an instance does next. It is a step machine: [Machine.Step] takes one message and the facts of
// the moment, changes the machine's state, and adds the effects that are to be carried out. It does nothing itself but log
// and count, so a test can tell any story with messages and facts and compare the effects (testdata).
//
// It must not know actors, the journal, clocks or goroutines. What it may know of the world are its [Facts].
//
// Invariants:
//   - An instance does one thing at a time: its phase. Phases change in [Machine.become] alone, by a table of legal moves.
//   - Each effect that is an answer's beginning raises what is outstanding; the machine leaves only when nothing is.
//   - A resident coroutine has seen exactly the turns up to the head's.
//   - Nothing that a turn decided is let out before its commit is durable.
//   - An answer that the present phase does not wait for changes nothing but counts.
//
// Start reading at machine.go (Step), then step.go (what is next), then effects.go and facts.go.
package step
