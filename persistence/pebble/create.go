package pebble

import (
	"errors"
	"fmt"
	"io/fs"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/turnstone-dev/turnstone/internal/ids"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

// create builds a new store beside its place and renames it into it, so that a crash leaves nothing half made: either
// the directory is absent (or empty) as before, or it is a whole store. Only who holds the creation lock builds, and
// only while the store is not there: another process may have made it since this one looked.
func create(o *Options, f *latchFS) (err error) {
	if err := o.FS.MkdirAll(f.PathDir(o.Dir), 0o755); err != nil {
		return fmt.Errorf("%w: its parent directory cannot be made: %w", ErrNotWritable, err)
	}
	lock, err := lockCreation(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	there, err := examine(o)
	if err == nil && !there {
		err = build(o, f)
	}
	if err != nil {
		return err // and the file of the lock stays: see lockCreation
	}
	if err := f.Remove(creationLock(o)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(f, f.PathDir(o.Dir))
}

// build makes the store. A leftover of an attempt that did not end is removed first.
func build(o *Options, f *latchFS) error {
	building := o.Dir + ".creating"
	if err := o.FS.RemoveAll(building); err != nil {
		return fmt.Errorf("%w: a leftover cannot be removed: %w", ErrNotWritable, err)
	}
	dbDir := f.PathJoin(building, dbName)
	if err := o.FS.MkdirAll(dbDir, 0o755); err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritable, err)
	}
	partitions := o.Partitions
	if partitions == 0 {
		partitions = persistence.DefaultPartitions
	}
	store := &storeRow{
		format: Format, id: ids.Hex(o.IDs), partitions: partitions, slots: persistence.DefaultSlotTable(partitions),
	}
	if err := createDB(o, f, dbDir, store); err != nil {
		return err
	}
	w := &witness{store: store.id, durable: make([]uint64, partitions)}
	if err := writeWitness(f, building, w); err != nil {
		return err
	}
	// An empty directory in the store's place gives way. Its absence is as good a start as its emptiness.
	if err := removeEmpty(f, o.Dir); err != nil {
		return err
	}
	return f.Rename(building, o.Dir)
}

func removeEmpty(f *latchFS, dir string) error {
	if _, err := f.Stat(dir); err != nil {
		return nil // nothing is in the way; if it cannot be asked, the rename will say so
	}
	return f.Remove(dir)
}

// createDB writes the first rows of a new database and closes it, so that its first log, which predates the format that
// is chosen, is obsolete before anything is acknowledged.
func createDB(o *Options, f *latchFS, dbDir string, store *storeRow) error {
	p := pebbleOptions(o, f, f.latch)
	p.ErrorIfNotExists = false
	p.ErrorIfExists = true
	db, err := pdb.Open(dbDir, p)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritable, err)
	}
	b := db.NewBatch()
	var value rowcode.Enc
	encodeStore(&value, store)
	err = b.Set(storeKey, value, nil)
	for i := 0; err == nil && i < store.partitions; i++ {
		value = value[:0]
		encodePartition(&value, newPartitionRow(store.partitions))
		err = b.Set(appendPrefix(nil, persistence.Partition(i), famPartition), value, nil)
	}
	if err == nil {
		err = b.Commit(pdb.Sync)
	}
	if err == nil {
		err = db.Flush()
	}
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	return err
}
