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

// core is the part of a store that does not depend on its log: the database and its file system, the machines and the batch
// that they write, reads, the latch, the witness. A log orders the commands and calls, for each batch, begin, apply, commit,
// sync, release and end. The core knows no log, and has no queue and no goroutine of its own.
//
// Goroutines: one at a time calls begin, apply and commit; one at a time calls sync, release and end; any goroutine may call
// read and mayExist until the core is closed.
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

// faults are the errors that a simulation injects next; nil injects none.
type faults struct {
	// sync is the error of the next syncAll, read that of the next read.
	sync, read error
}

// newCore makes a core without its database.
func newCore(o *Options, f *latchFS, dbDir string, seen *found) *core {
	c := &core{
		o: *o, fs: f, latch: f.latch, logs: f.logs, dbDir: dbDir, table: seen.store.slots,
		info:  persistence.StoreInfo{ID: seen.store.id, Format: seen.store.format, Partitions: seen.store.partitions, Codec: seen.store.codec},
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

// diskHealthFS returns a file system that logs slow operations of the real disk. They do not stop the store.
func (c *core) diskHealthFS() vfs.FS {
	if c.o.FS != vfs.Default {
		return c.fs
	}
	var f vfs.FS
	f, c.health = vfs.WithDiskHealthChecks(c.fs, slowDisk, nil, func(i vfs.DiskSlowInfo) { c.o.Log("slow disk: %v", i) })
	return f
}

// closeHealth stops the goroutine of diskHealthFS.
func (c *core) closeHealth() error {
	if c.health != nil {
		return c.health.Close()
	}
	return nil
}

// close closes the database. It first writes the memtables to tables, so that a closed store is small and the next open has
// no log to read. If the latch closes meanwhile, close may never return, and the lock stays held.
func (c *core) close() error {
	writes := !c.o.ReadOnly
	if writes {
		// The process may be short of file descriptors; then the last witness stays, which is still true.
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
	// Closing Pebble may remove obsolete logs, so the witness is kept up to date until it is closed.
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

// drop abandons the core as a crash does.
func (c *core) drop() error {
	c.durable.forget()
	c.logs.setOnRemoval(nil)
	close(c.latch.dropped)
	err := c.db.Close()
	return errors.Join(err, c.lock.Close())
}

// mayExist is Store.MayExist for an id of a partition.
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

// readFailed stops the store, because rows that it acknowledged cannot be read.
func (c *core) readFailed(err error) { c.latch.trip("read", c.dbDir, err) }

// failRead returns the injected error of a read, if there is one, after it has stopped the store as a disk's error does.
func (c *core) failRead() error {
	if c.faults.read == nil {
		return nil
	}
	c.latch.simulated.Store(true)
	c.readFailed(c.faults.read)
	return c.latch.cause()
}

// read runs a function on a snapshot and returns the last index that is applied in the snapshot.
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
		if c.latch.blocksPebble() {
			return // after a failure Pebble may never return, and the caller needs an answer
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
