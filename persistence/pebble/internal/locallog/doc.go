// Package locallog is the log of a store that is alone: it applies commands, then syncs them. It owns the queue of
// proposals, the batches on their way to the disk, and the goroutines that move them.
//
// It drives a [Core] and must not know what that keeps, in which files, or what a command does. The core knows nothing
// of the log: another log may drive it.
//
// Invariants:
//   - Every proposal is in the queue or in one known flight until it is answered, once.
//   - One goroutine applies and commits, another one syncs and releases, both in the order of the queue: the oldest flight
//     is released.
//   - A flight is released whole or fails whole. What fails in a flight is uncertain; what fails in the queue was never
//     in the log.
//   - Nothing is released before its batch is synced and the core is known not to have failed.
//
// Start reading at [Log], then drive.go (queue, apply, commit) and release.go (sync, release, failure).
package locallog
