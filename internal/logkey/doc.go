// Package logkey holds the keys of the attributes that Turnstone's own log lines carry.
//
// It owns the names of the keys and of the targets. It must not know who logs, or to what. An author's own attributes
// are the author's: the keys here are those of the root package, the node and the engine.
//
// Invariants: one thing has one key, everywhere; a unit is part of the key's name; docs/guide.md lists every key with
// its meaning and unit, and internal/lint holds both the list and the callers to it.
//
// Start reading at [Target].
package logkey
