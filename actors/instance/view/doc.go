// Package view is what an instance knows of its durable state: its head, its lease row, the part of its inbox that is in
// memory, and its history until a replay machine takes it. The package reads these from the journal, checks them, and moves
// the view on by what the instance commits and accepts.
//
// It must not know why something is read, what a turn is, or who holds the view.
//
// Invariants:
//   - A known view agrees with the journal as of the last read, commit or accept. Rows that contradict each other are
//     reported as damage and never become part of a view.
//   - The rows of a name that are in memory are the oldest of that name (see [Page]).
//   - A read takes from the memory budget before it reads what is large.
//
// Start reading at view.go, then at load.go; page.go is the inbox.
package view
