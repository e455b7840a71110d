// Package pebble is the journal on Pebble: keys, formats, the state machine that applies commands, recovery, and
// verification.
//
// It has two rooms. The core is the database with its machines, reads, latch and witness: it begins, applies, commits,
// syncs and releases batches (core.go, batch.go). It knows no log and has no queue and no goroutine, so that another log
// can drive it. Above it, a [Store] puts the local log of internal/locallog over a core (logged.go), serves reads, and
// opens and closes both. internal/lint holds the wall between them.
//
// It owns a store directory: DIR/db is Pebble's, DIR/witness is ours. DIR/creating and DIR/creating.lock are there
// while the store is made; a crash may leave them, and the next open for writing goes on from there. Nothing is ever
// written outside DIR, except a backup where it is asked for. It must not know what a message or an event means (only [Verify] decodes events, to compare rows
// with history), what time it is (commands carry their time), or who reads.
//
// Invariants:
//   - Apply is a pure function of (state, proposal). It iterates only inside one instance, and only when a counter of
//     its head says that there is something.
//   - One goroutine applies; one releases. Nothing is released before its batch is synced and the latch is clear.
//   - The first failed write, sync or read closes the latch: nothing is applied, written or acknowledged after it, nothing
//     asks Pebble any more, and the process goes on.
//   - One process has a store, and one makes it: the locks in lock.go. Nothing of it is read or written before.
//   - Before its witness is there, nothing of a store was acknowledged; a database that has one is never removed.
//   - A backup has a mark, which every open refuses, until all of it is durable and verified.
//   - A read-write open of a store is preceded by a read-only one that is compared with the witness.
//   - Nothing but its trailer follows what Pebble takes for the end of a log that was closed.
//   - The witness never says more than is durable, takes back nothing that it said of a file that is there, and a file
//     leaves it before the file goes.
//   - What is durable of a partition only rises, one batch after the other, and every read shows at least that.
//   - A row that Apply may read again within the batch is written through the overlay, any other one past it.
//   - What is kept in memory (heads, work rows, filters of ids and request keys) only Apply changes, and a row that it
//     does not hold is looked for in Pebble. A head that changed stays in memory until the batch has it.
//
// Start reading at [Open], then batch.go (what a log calls), machine.go (Apply), turn.go (a turn's commit), key.go (the
// rows).
package pebble
