// Package pebble is the journal on Pebble: keys, formats, the state machine that applies commands, recovery, and
// verification.
//
// It has two rooms. The core is the database with its machines, reads, latch and witness: it begins, applies, commits,
// syncs and releases batches (core.go, batch.go). It knows no log and has no queue and no goroutine, so that another log
// can drive it. Above it, a [Store] puts the local log of internal/locallog over a core (logged.go), serves reads, and
// opens and closes both. internal/lint holds the wall between them.
//
// It owns a store directory: DIR/db is Pebble's, DIR/witness is this package's. DIR/creating and DIR/creating.lock exist
// while the store is made; a crash may leave them, and the next open for writing continues from there. Nothing is written
// outside DIR, except a backup to its directory. The package must not know what a message or an event means (only [Verify]
// decodes events, to compare rows with the history), what time it is (commands carry their time), or who reads.
//
// Invariants:
//   - Apply is a pure function of (state, proposal). It iterates only over rows of one instance, and only when a counter of
//     its head is above 0.
//   - One goroutine applies; one releases. Nothing is released before its batch is synced and the latch is clear.
//   - The first failed write, sync or read closes the latch: after it nothing is applied, written or acknowledged, Pebble is
//     not called any more, and the process goes on.
//   - One process has a store open, and one process creates it: the locks in lock.go. It locks before it reads or writes.
//   - A store acknowledges nothing before it has a witness; a database that has one is never removed.
//   - A backup has a mark, which every open refuses, until the whole backup is durable and verified.
//   - Before a store is opened for writing, it is opened for reading and compared with the witness.
//   - Only the trailer follows the place that Pebble takes for the end of a closed log.
//   - The witness never claims more than is durable, and never less than before of a file that exists. It drops a file before
//     the file is removed.
//   - The durable index of a partition only rises, batch by batch, and every read shows at least that index.
//   - A row that Apply may read again within the batch is written through the overlay, every other row past it.
//   - Only Apply changes the rows kept in memory (heads, work rows, filters of ids and request keys). A row that is not kept
//     in memory is looked up in Pebble. A changed head stays in memory until the batch has it.
//
// Start reading at [Open], then batch.go (what a log calls), machine.go (Apply), turn.go (a turn's commit), key.go (the
// rows).
package pebble
