// Package arrival is what senders bring to an instance: starts, messages from outside, results of activities and queries. Each has the
// function that answers its sender, and a state that says how far it has come.
//
// It must not know what an instance does with them.
//
// Invariant: an arrival is answered once.
//
// Start reading at arrival.go.
package arrival
