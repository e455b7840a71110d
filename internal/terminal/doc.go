// Package terminal is what a command needs to write for a person: text that a terminal shows and never obeys, and a
// [Screen] that keeps a status line below what is printed.
//
// It owns the escaping of everything that a command prints and did not write itself: ids, names, inputs, failures, paths
// and errors. It must not know what the text is about, and it does no input or output of its own.
//
// Invariants:
//   - What [Text] returns is one line, and a terminal neither moves nor changes order, colour or title because of it.
//   - A text is never drawn wider than [Width] says.
//
// Start reading at [Text], then [Screen].
package terminal
