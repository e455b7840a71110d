package pebble

import (
	"errors"
	"fmt"
	"strings"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

// open makes one attempt to open. If the store is in use, it has at most made the directory.
func open(given *Options, f *latchFS) (*core, error) {
	o := *given
	o.Dir = realName(o.FS, o.Dir)
	if err := prepare(&o); err != nil {
		return nil, err
	}
	f.dir = o.Dir
	return openExisting(&o, f)
}

// prepare creates the store if there is none, and checks that there is something to open.
func prepare(o *Options) error {
	at, err := examine(o)
	switch {
	case at == whole, err != nil && (o.ReadOnly || at == vacant):
		return err
	case o.ReadOnly && at != vacant:
		return fmt.Errorf("%w: its creation was not finished; open it for writing, which finishes that", ErrNoStore)
	case o.ReadOnly:
		return fmt.Errorf("%w: the directory does not exist or is empty", ErrNoStore)
	}
	return create(o)
}

// checkWritable writes to both directories, because Pebble's recovery hangs on one that cannot be written.
func checkWritable(o *Options) error {
	for _, dir := range []string{o.Dir, o.FS.PathJoin(o.Dir, dbName)} {
		probe := o.FS.PathJoin(dir, "probe")
		file, err := o.FS.Create(probe, vfs.WriteCategoryUnspecified)
		if err == nil {
			err = file.Close()
		}
		if err == nil {
			err = o.FS.Remove(probe)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrNotWritable, err)
		}
	}
	return nil
}

// found is what inspect has read of a store.
type found struct {
	store      *storeRow
	partitions []*partitionRow
}

func openExisting(o *Options, f *latchFS) (c *core, err error) {
	dbDir := o.FS.PathJoin(o.Dir, dbName)
	lock, err := lockDir(o.FS, dbDir, f.latch)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && f.latch.clear() {
			err = errors.Join(err, lock.Close())
		}
	}()
	if !o.ReadOnly {
		if err := checkWritable(o); err != nil {
			return nil, err
		}
		removeLeftovers(o)
	}
	// Read the witness under the lock: before that, another process may still write the store.
	w, err := readWitness(o.FS, o.Dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %s cannot be trusted: %w; restore the store from a copy",
			ErrBelowWitness, o.FS.PathJoin(o.Dir, witnessName), err)
	}
	seen, db, err := inspect(o, f.latch, lock.Lock, dbDir, w)
	if err != nil {
		return nil, err
	}
	c = newCore(o, f, dbDir, seen)
	c.lock = lock
	if o.ReadOnly {
		c.attachDB(db)
		return c, nil
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return c, c.openForWriting(w, seen)
}

// inspect opens the store for reading and compares it with its witness. Without an error it returns the open database.
func inspect(o *Options, l *latch, lock *pdb.Lock, dbDir string, w *witness) (_ *found, _ *pdb.DB, err error) {
	if err := w.checkLogs(o.FS, dbDir); err != nil {
		return nil, nil, fmt.Errorf("%w: %w; restore the store from a copy", ErrBelowWitness, err)
	}
	if err := checkLogEnds(o.FS, dbDir); err != nil {
		return nil, nil, fmt.Errorf("%w: %w; restore the store from a copy", persistence.ErrCorrupt, err)
	}
	p := pebbleOptions(o, o.FS, l)
	// Damage does not close the latch here: nothing is acknowledged, and the caller gets the error of the read.
	p.EventListener.DataCorruption = func(i pdb.DataCorruptionInfo) { o.Log("pebble: damage: %v", i) }
	p.EventListener.BackgroundError = func(err error) { o.Log("pebble: %v", err) }
	p.ReadOnly = true
	p.Lock = lock
	p.Experimental.CompactionScheduler = pdb.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()
	db, err := openPebble(dbDir, p)
	if err != nil {
		return nil, nil, err
	}
	seen, err := readStore(o, db, w)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return seen, db, nil
}

// openPebble opens the database, and replaces Pebble's errors by sentences.
func openPebble(dbDir string, p *pdb.Options) (*pdb.DB, error) {
	db, err := pdb.Open(dbDir, p)
	switch {
	case err == nil:
		return db, nil
	case strings.Contains(err.Error(), "format major version"):
		return nil, fmt.Errorf("%w, by a newer version of this program: %w", ErrFormat, err)
	case errors.Is(err, pdb.ErrDBDoesNotExist):
		return nil, fmt.Errorf("%w: %s holds no database, though its witness is there; restore the store from a copy",
			ErrBelowWitness, dbDir)
	}
	return nil, fmt.Errorf("%w: %s: %w; restore the store from a copy", persistence.ErrCorrupt, dbDir, err)
}

// readStore checks format, identity, partitions and indexes.
func readStore(o *Options, db *pdb.DB, w *witness) (*found, error) {
	var store *storeRow
	r := &reader{from: db, stats: &counters{}}
	ok, err := r.get(storeKey, func(row []byte) (err error) {
		format, err := storeFormat(row)
		if err == nil && format != Format {
			return &formatError{format: format}
		}
		if err == nil {
			store, err = decodeStore(row)
		}
		return err
	})
	var other *formatError
	switch {
	case errors.As(err, &other):
		return nil, fmt.Errorf("%w: format %s, and this program reads %s", ErrFormat, other.format, Format)
	case err != nil:
		return nil, err
	case !ok:
		return nil, fmt.Errorf("%w: it has no store row; restore the store from a copy", ErrBelowWitness)
	case store.id != w.store:
		return nil, fmt.Errorf("%w: the database is that of store %s, the witness that of store %s; "+
			"restore the store from a copy", ErrBelowWitness, store.id, w.store)
	case o.Partitions != 0 && o.Partitions != store.partitions:
		return nil, fmt.Errorf("%w: it has %d and %d were asked for; the number is fixed when a store is made",
			ErrPartitions, store.partitions, o.Partitions)
	case !o.ReadOnly && o.Codec != "" && store.codec != "" && o.Codec != store.codec:
		return nil, fmt.Errorf("%w: its values are of the codec %q, and this program has %q: open it with the codec %q, "+
			"or convert its values into a new store with a program that has both", ErrCodec, store.codec, o.Codec, store.codec)
	case len(w.durable) != store.partitions:
		return nil, fmt.Errorf("%w: the witness speaks of %d partitions, the database of %d; restore the store from a copy",
			ErrBelowWitness, len(w.durable), store.partitions)
	}
	seen := &found{store: store}
	for p := range store.partitions {
		r := &reader{p: persistence.Partition(p), partitions: store.partitions, from: db, stats: &counters{}}
		row, err := r.partition()
		if err != nil {
			return nil, err
		}
		if row.Applied < w.durable[p] {
			return nil, fmt.Errorf("%w: partition %d ends at index %d, and %d was durable; restore the store from a copy",
				ErrBelowWitness, p, row.Applied, w.durable[p])
		}
		seen.partitions = append(seen.partitions, row)
	}
	return seen, nil
}

// formatError is the error of the decoder for a store of another format.
type formatError struct{ format string }

// Error names the format.
func (e *formatError) Error() string { return "format " + e.format }

// openForWriting opens the database that inspect has just checked, under the same lock. Until the result is compared with
// what inspect read, it keeps the files that Pebble removes.
func (c *core) openForWriting(w *witness, seen *found) error {
	f := c.fs.(*latchFS)
	archive := c.fs.PathJoin(c.o.Dir, "archive")
	if err := c.fs.MkdirAll(archive, 0o755); err != nil {
		return err
	}
	f.archiveTo(archive)
	for _, l := range w.logs {
		c.logs.keep(l.name, l.synced)
	}
	c.keeper = &witnessKeeper{
		fs: c.o.FS, dir: c.o.Dir, store: seen.store.id, logs: c.logs,
		durable: func() []uint64 { return w.durable },
	}
	c.logs.setOnRemoval(c.writeWitness)
	p := pebbleOptions(&c.o, c.diskHealthFS(), c.latch)
	p.Lock = c.lock.Lock
	db, err := openPebble(c.dbDir, p)
	if err != nil {
		return err
	}
	again, err := readStore(&c.o, db, w)
	for i := 0; err == nil && i < len(seen.partitions); i++ {
		if a, b := again.partitions[i].Applied, seen.partitions[i].Applied; a != b {
			err = fmt.Errorf("%w: partition %d ended at index %d when read, and at %d when opened for writing; "+
				"what was removed is in %s", ErrBelowWitness, i, b, a, archive)
		}
	}
	if err != nil {
		return errors.Join(err, db.Close())
	}
	c.attachDB(db)
	if err := c.recordCodec(again.store); err != nil {
		return errors.Join(err, db.Close())
	}
	c.keeper.setDurable(c.durable.snapshot)
	f.archiveTo("")
	return c.fs.RemoveAll(archive)
}

// recordCodec makes the name of the codec durable in a store that was made without one.
func (c *core) recordCodec(store *storeRow) error {
	if store.codec == "" && c.o.Codec != "" {
		store.codec = c.o.Codec
		var row rowcode.Enc
		encodeStore(&row, store)
		if err := c.db.Set(storeKey, row, pdb.Sync); err != nil {
			return err
		}
	}
	c.info.Codec = store.codec
	return nil
}
