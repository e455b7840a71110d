package pebble

import (
	"context"
	"errors"
	"fmt"
)

// The reasons for which Open refuses a store. The error's text is a sentence that says what is wrong with which directory
// and what to do.
var (
	// ErrInUse: another process, or another Store of this one, holds the store.
	ErrInUse = errors.New("in use")
	// ErrFormat: the store was made by a version of another format.
	ErrFormat = errors.New("written in another format")
	// ErrPartitions: the store has another number of partitions.
	ErrPartitions = errors.New("made with another number of partitions")
	// ErrCodec: the values in the store were encoded with another codec.
	ErrCodec = errors.New("written with another codec")
	// ErrBelowWitness: rows that were durable are missing. Restore the store from a copy.
	ErrBelowWitness = errors.New("holds less than its witness says was durable")
	// ErrNotStore: the directory has files of another program.
	ErrNotStore = errors.New("not a Turnstone store")
	// ErrNotWritable: the directory cannot be written.
	ErrNotWritable = errors.New("not writable")
	// ErrNoStore: there is nothing to read.
	ErrNoStore = errors.New("no store there")
	// ErrFailed: a write or a read of the store has failed in this process, which keeps the store locked until it ends. The
	// error wraps a [Failure].
	ErrFailed = errors.New("the store has failed")
)

var errClosed = errors.New("closed")

const dbName = "db"

// Open is [OpenContext] with a context that does not end.
func Open(o Options) (*Store, error) { return OpenContext(context.Background(), o) }

// OpenContext opens the store at o.Dir. It creates the store if the directory does not exist, is empty, or has the files of
// an unfinished creation. It never replaces the directory itself, which may be a mount point, be named by a symbolic link,
// or be in a directory that must not be written. An error while it creates is ErrNotWritable.
//
// It first reads the store without changing it and compares it with the witness. So a damaged store is refused before Pebble
// could delete files that it no longer knows.
//
// Another process that has the store open may have been killed and be about to end. So OpenContext tries again until
// Options.LockWait has passed; then it returns ErrInUse. When ctx ends first, the error is ErrInUse and the context's. A
// store that this process has open is refused at once. The context has no other influence.
//
// A disk that fails while the store is opened is ErrFailed, and the store stays locked until the process ends.
func OpenContext(ctx context.Context, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	f := &latchFS{FS: o.FS, latch: newLatch(&o), logs: newLogTable(), ahead: o.Tuning.LogAheadBytes}
	w := lockWait{clock: o.Clock, left: o.LockWait}
	for {
		c, err := guarded(f.latch, func() (*core, error) { return open(&o, f) })
		if errors.Is(err, errOtherProcess) {
			if err = w.pause(ctx, err); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, fmt.Errorf("open store %s: %w", o.Dir, err)
		}
		s := newStore(c)
		s.start()
		return s, nil
	}
}
