package node

import (
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/pebble"
)

// The reasons for which a store or its directory is refused, for errors.Is. The error's text names the directory and says
// what to do.
var (
	// ErrInUse: another process, or another node of this one, has the store open. Stop it first.
	ErrInUse = pebble.ErrInUse
	// ErrNotStore: the directory has files of another program. Name an empty directory, or that of a store.
	ErrNotStore = pebble.ErrNotStore
	// ErrNoStore: there is no store to read, or its creation was not finished.
	ErrNoStore = pebble.ErrNoStore
	// ErrNotWritable: the directory, or the lock of the store in it, cannot be written.
	ErrNotWritable = pebble.ErrNotWritable
	// ErrFormat: the store has the format of another version of Turnstone. It is not converted.
	ErrFormat = pebble.ErrFormat
	// ErrPartitions: the store has another number of partitions than Config.Partitions. Leave that 0.
	ErrPartitions = pebble.ErrPartitions
	// ErrCodec: the values in the store are of another codec than Config.Codec, as their names say. Open it with its own codec.
	ErrCodec = pebble.ErrCodec
	// ErrBelowWitness: rows that were durable are missing, because a disk or a copy has lost them. Restore a backup.
	ErrBelowWitness = pebble.ErrBelowWitness
	// ErrFailed: a write or a read of the store has failed in this process; [FailureOf] says which. The directory is locked
	// until the process ends: mend the disk, and start another one.
	ErrFailed = pebble.ErrFailed
	// ErrNotEmpty: the directory for a backup is not an empty one outside of the store.
	ErrNotEmpty = pebble.ErrNotEmpty
	// ErrUnfinished: the directory holds a backup that was cut short. Remove it.
	ErrUnfinished = pebble.ErrUnfinished
)

// Failure is the operation of a store that has failed.
type Failure struct {
	// Operation is, for example, "write" or "sync directory"; Path is its file or directory.
	Operation string
	Path      string
	// Err is what the operating system says.
	Err error
}

// FailureOf returns the failed operation of an error that wraps [ErrFailed]; a node and its client return such errors. ok is
// false for any other error.
func FailureOf(err error) (f Failure, ok bool) {
	var failed *pebble.Failure
	if !errors.Is(err, ErrFailed) || !errors.As(err, &failed) {
		return Failure{}, false
	}
	return Failure{Operation: failed.Op, Path: failed.Path, Err: failed.Err}, true
}

var errNoDirectory = invalid("no directory is named")

// invalid refuses a field of a Config or Runtime, or an argument.
func invalid(format string, args ...any) error {
	return fmt.Errorf("node: %w: %w", turnstone.ErrInvalidInput, fmt.Errorf(format, args...))
}

// stoppedStore adds turnstone.ErrStopped to an error of a store that has stopped.
func stoppedStore(err error) error {
	if errors.Is(err, persistence.ErrStopped) || errors.Is(err, ErrFailed) {
		return fmt.Errorf("node: %w: %w", turnstone.ErrStopped, err)
	}
	return err
}
