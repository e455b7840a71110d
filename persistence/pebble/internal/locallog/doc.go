// Package locallog is the log of a store that is alone: it applies commands, then syncs them. It owns the queue of
// proposals, the batches on their way to the disk, and the goroutines that move them.
//
// It drives a [Core] and must not know what the core stores, in which files, or what a command does. The core does not know
// the log, so that another log can drive it.
//
// Invariants:
//   - Every proposal is in the queue or in one known flight until it is answered, once.
//   - One goroutine applies and commits, another one syncs and releases, both in the order of the queue: the next flight to
//     be released is the oldest.
//   - A flight is released as a whole or fails as a whole. A proposal that fails in a flight is uncertain; one that fails in
//     the queue was never in the log.
//   - Nothing is released before its batch is synced and the core is known not to have failed.
//
// Start reading at [Log], then drive.go (queue, apply, commit) and release.go (sync, release, failure).
package locallog
