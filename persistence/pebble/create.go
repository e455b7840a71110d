package pebble

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/internal/ids"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

// create makes a new store inside its directory. After a crash, an open does not take an unfinished store for a whole one.
// The steps, each durable before the next:
//
//	creating.lock   locked by the creator as long as it works
//	creating/       the database
//	witness         from here on the store is whole; any later open can finish the steps
//	creating -> db
//	                and creating.lock is removed
//
// Only the holder of the lock builds. It examines the directory again first, because another process may have made the
// store, or a part of it. A creation that ended before its witness is repeated; one that ended after it is continued. A
// database that has a witness is never removed.
//
// The store has acknowledged no command yet. So a failure is returned as ErrNotWritable, and the process goes on.
func create(o *Options) (err error) {
	if err := makeDir(o); err != nil {
		return err
	}
	lock, err := lockCreation(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	at, err := examine(o)
	if err == nil && at != whole {
		err = finishCreation(o, at)
	}
	if err != nil {
		return err // the file of the lock stays: see lockCreation
	}
	if err := o.FS.Remove(creationLock(o)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return notWritable("remove", creationLock(o), err)
	}
	return syncNew(o, o.Dir)
}

// finishCreation does the steps of a creation that are not done yet.
func finishCreation(o *Options, at place) error {
	building := o.FS.PathJoin(o.Dir, creatingName)
	if at != built {
		if err := build(o, building); err != nil {
			return err
		}
	}
	if err := o.FS.Rename(building, o.FS.PathJoin(o.Dir, dbName)); err != nil {
		return notWritable("rename", building, err)
	}
	return syncNew(o, o.Dir)
}

// build makes the database and its witness. It first removes what an attempt without a witness left.
func build(o *Options, building string) error {
	// Make the lock's file durable before the rest: without it an open could not tell the rest from another program's
	// files.
	if err := syncNew(o, o.Dir); err != nil {
		return err
	}
	if err := o.FS.RemoveAll(building); err != nil {
		return notWritable("remove", building, err)
	}
	if err := o.FS.MkdirAll(building, 0o755); err != nil {
		return notWritable("create directory", building, err)
	}
	partitions := o.Partitions
	if partitions == 0 {
		partitions = persistence.DefaultPartitions
	}
	store := &storeRow{
		format: Format, id: ids.Hex(o.IDs), partitions: partitions, slots: persistence.DefaultSlotTable(partitions),
		codec: o.Codec,
	}
	draft := vfs.NewMem()
	if err := draftDB(o, draft, store); err != nil {
		return err
	}
	if err := writeDraft(o, draft, building); err != nil {
		return err
	}
	if err := syncNew(o, o.Dir); err != nil {
		return err
	}
	w := &witness{store: store.id, durable: make([]uint64, partitions)}
	if err := writeWitness(o.FS, o.Dir, w); err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritable, err)
	}
	return nil
}

// draftDB writes the first rows of a new database and closes it. So its first log, which Pebble writes in an older format,
// is obsolete before any command is acknowledged.
//
// It works in memory, where no write fails: when a write to the disk fails, Pebble hangs or ends the process.
func draftDB(o *Options, draft *vfs.MemFS, store *storeRow) error {
	p := pebbleOptions(o, draft, newLatch(o))
	p.ErrorIfNotExists = false
	p.ErrorIfExists = true
	db, err := pdb.Open(dbName, p)
	if err != nil {
		return err
	}
	b := db.NewBatch()
	var value rowcode.Enc
	encodeStore(&value, store)
	err = b.Set(storeKey, value, nil)
	for i := 0; err == nil && i < store.partitions; i++ {
		value = value[:0]
		encodePartition(&value, newPartitionRow())
		err = b.Set(appendPrefix(nil, persistence.Partition(i), famPartition), value, nil)
	}
	if err == nil {
		err = b.Commit(pdb.Sync)
	}
	if err == nil {
		err = db.Flush()
	}
	return errors.Join(err, db.Close())
}

// writeDraft writes the files of the draft into a directory. They are durable when it returns; the directory's own name is
// not yet.
func writeDraft(o *Options, draft *vfs.MemFS, dir string) error {
	names, err := draft.List(dbName)
	if err != nil {
		return err
	}
	for _, name := range names {
		file, err := draft.Open(draft.PathJoin(dbName, name))
		if err != nil {
			return err
		}
		content, err := io.ReadAll(file)
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
		if err := writeFileSynced(o.FS, o.FS.PathJoin(dir, name), content); err != nil {
			return fmt.Errorf("%w: %w", ErrNotWritable, err)
		}
	}
	return syncNew(o, dir)
}

func syncNew(o *Options, dir string) error {
	if err := syncDir(o.FS, dir); err != nil {
		return notWritable("sync directory", dir, err)
	}
	return nil
}
