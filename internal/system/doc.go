// Package system is the vocabulary of the system activities that the host carries out: their names, inputs and results, as
// JSON in histories.
//
// It must not know who asks for them and who carries them out.
//
// Invariants: names and fields are in histories, so they stay as they are.
//
// Start reading at [KVRead].
package system
