// Package view is what an instance knows of its durable state: its head, its lease row, the part of its inbox that is in
// memory, its history on the way into a coroutine. It reads that from the journal, checks it, and moves it on by what the
// instance commits and accepts.
//
// It must not know why something is read, what a turn is, or who holds the view.
//
// Invariants:
//   - What is known agrees with the journal as of the last read, commit or accept. What does not agree within itself is
//     reported as damage and is never taken over.
//   - The rows of a name that are in memory are the oldest of that name (see [Page]).
//   - A read takes from the memory budget before it reads what is large.
//
// Start reading at view.go, then at load.go; page.go is the inbox.
package view
