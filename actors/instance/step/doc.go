// Package step decides what an instance does next. It is a step machine: [Machine.Step] takes one message and the facts of
// the moment, changes the machine's state, and returns effects for the shell (package instance) to carry out. The machine
// itself only logs and counts, so a test can tell any story with messages and facts and compare the effects (testdata).
//
// It makes commands for the journal and proposes none: it must not call the journal, an actor or a clock, and starts no
// goroutine. It knows of the world only its [Facts].
//
// Invariants:
//   - An instance does one thing at a time: its phase. Phases change in [Machine.become] alone, by a table of legal moves.
//   - Each effect that asks for an answer counts as outstanding until the answer comes. The machine leaves only when none is
//     outstanding.
//   - A resident coroutine has seen exactly the turns up to the one that the head names.
//   - No decision of a turn becomes visible outside before its commit is durable.
//   - An answer that the present phase does not wait for changes nothing but counts.
//
// Start reading at machine.go (Step), then step.go (the choice of the next thing to do), then effects.go and facts.go.
package step
