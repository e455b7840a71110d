package pebble

import (
	"errors"
	"fmt"
	"io"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
)

// core is what a store is whatever its log: the database and its file system, the machines and the batch that they
// write, reads, the latch, the witness. A log puts commands in order and calls, for each batch, begin, apply, commit,
// sync, release and end. The core knows no log, and has no queue and no goroutine of its own.
//
// Goroutines: one at a time calls begin, apply and commit; one at a time calls sync, release and end; read and mayExist
// may be called from anywhere until the core is closed.
type core struct {
	o     Options
	info  persistence.StoreInfo
	table []persistence.Partition // by slot
	dbDir string

	fs     vfs.FS // under the latch
	latch  *latch
	logs   *logTable
	keeper *witnessKeeper
	lock   *storeLock
	health io.Closer // nil unless the disk is watched
	db     *pdb.DB
	stats  counters

	txn      *txn
	machines []*machine
	sinks    []*func(*persistence.Effects)
	durable  *durableIndexes
	// unwitnessed says that a syncAll made something durable since the last witness.
	unwitnessed bool
	faults      faults
}

// faults are what a simulation has go wrong next; nil is nothing.
type faults struct {
	// sync is what the next syncAll fails with, read what the next read finds instead of its rows.
	sync, read error
}

// newCore puts together what a core needs, all but the database.
func newCore(o *Options, f *latchFS, dbDir string, seen *found) *core {
	c := &core{
		o: *o, fs: f, latch: f.latch, logs: f.logs, dbDir: dbDir, table: seen.store.slots,
		info:  persistence.StoreInfo{ID: seen.store.id, Format: seen.store.format, Partitions: seen.store.partitions},
		sinks: make([]*func(*persistence.Effects), seen.store.partitions),
	}
	durable := make([]uint64, seen.store.partitions)
	for i, row := range seen.partitions {
		durable[i] = row.Applied
		c.machines = append(c.machines, &machine{
			p: persistence.Partition(i), partitions: seen.store.partitions, slots: c.table, state: row,
			heads: newHeadCache(max(1, o.Tuning.HeadCache/seen.store.partitions)),
			works: newWorkCache(max(1, o.Tuning.HeadCache/seen.store.partitions)), known: newKnownKeys(),
		})
	}
	c.durable = newDurableIndexes(durable)
	return c
}

func (c *core) attachDB(db *pdb.DB) {
	c.db = db
	c.txn = newTxn(db, &c.stats)
	for _, m := range c.machines {
		m.t = c.txn
	}
}

// healthy reports slow operations of the real disk. It stops nothing.
func (c *core) healthy() vfs.FS {
	if c.o.FS != vfs.Default {
		return c.fs
	}
	var f vfs.FS
	f, c.health = vfs.WithDiskHealthChecks(c.fs, slowDisk, nil, func(i vfs.DiskSlowInfo) { c.o.Log("slow disk: %v", i) })
	return f
}

// closeHealth stops the goroutine behind healthy.
func (c *core) closeHealth() error {
	if c.health != nil {
		return c.health.Close()
	}
	return nil
}

// close closes the database. What is in memory is written to tables first, so that a closed store is small, and the
// next open has no log to read. If the latch closes, it may never return, and the lock stays held.
func (c *core) close() error {
	writes := !c.o.ReadOnly
	if writes {
		// A closing store may lack the descriptors for it, and its witness is true all the same.
		_ = c.writeWitness()
	}
	if writes && c.latch.clear() {
		if err := c.db.Flush(); err != nil {
			return err
		}
	}
	if !c.latch.clear() {
		return nil
	}
	// Closing Pebble may remove logs that are obsolete, so the witness is kept until after it.
	err := c.db.Close()
	if err == nil && writes {
		_ = c.writeWitness()
	}
	err = errors.Join(err, c.closeHealth())
	if c.latch.clear() {
		err = errors.Join(err, c.lock.Close())
	}
	return err
}

// drop leaves the core as a crash does.
func (c *core) drop() error {
	c.durable.forget()
	c.logs.setOnGone(nil)
	close(c.latch.left)
	err := c.db.Close()
	return errors.Join(err, c.lock.Close())
}

// mayExist is MayExist for the partition of the id.
func (c *core) mayExist(p persistence.Partition, id string) bool {
	if !c.latch.clear() {
		return true
	}
	key := appendName(make([]byte, 0, 64), p, id)
	if c.machines[p].known.absent(key) {
		return false
	}
	ok, err := mayExist(c.db, key)
	return ok || err != nil
}

// mayExist asks the filters of all levels: a point read would not look at the filter of the last one.
func mayExist(db *pdb.DB, key []byte) (bool, error) {
	it, err := db.NewIter(&pdb.IterOptions{UseL6Filters: true})
	if err != nil {
		return true, err
	}
	found := it.SeekPrefixGE(key)
	if err := it.Close(); err != nil {
		return true, err
	}
	return found, nil
}

// readFailed stops the store: what it acknowledged cannot be read back.
func (c *core) readFailed(err error) { c.latch.trip("read", c.dbDir, err) }

// failRead fails as a disk does that cannot read, if that was asked for, and returns how.
func (c *core) failRead() error {
	if c.faults.read == nil {
		return nil
	}
	c.latch.simulated.Store(true)
	c.readFailed(c.faults.read)
	return c.latch.cause()
}

// read runs a function on a snapshot and returns the index that the snapshot holds.
func (c *core) read(p persistence.Partition, read func(persistence.Reader) error) (applied uint64, err error) {
	if int(p) >= len(c.machines) {
		return 0, fmt.Errorf("partition %d does not exist: the store has %d", p, len(c.machines))
	}
	if err := c.latch.cause(); err != nil {
		return 0, fmt.Errorf("%w: %w", persistence.ErrStopped, err)
	}
	var durable uint64 // before the snapshot
	if invariants.Enabled {
		durable = c.durable.snapshot()[p]
	}
	snapshot := c.db.NewSnapshot()
	defer func() {
		if c.latch.parks() {
			return // Pebble may never answer any more, and the caller needs an answer
		}
		if cerr := snapshot.Close(); err == nil {
			err = cerr
		}
	}()
	r := &reader{p: p, partitions: len(c.machines), from: snapshot, stats: &c.stats}
	if !c.o.ReadOnly {
		r.failed = c.readFailed
	}
	row, err := r.partition()
	if err != nil {
		return 0, err
	}
	r.state = row
	if invariants.Enabled {
		r.verifyVisible(durable)
	}
	return row.Applied, read(r)
}
