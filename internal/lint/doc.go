// Package lint holds the rules of this repository that a compiler does not check, and runs them as a Go test.
//
// It owns the rules (one file per subject) and the tables of what is allowed where, each exception with its reason
// (policy.go). It must not know how any package works: it reads source text, syntax trees and the import graph.
//
// Invariants: a finding names file and line and says what to do; every rule has a fixture that it must reject; an
// exception that nothing needs any more is itself a finding, so the tables only shrink.
//
// Start reading at [Check], then at policy.go.
package lint
