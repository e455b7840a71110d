package node

import (
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/pebble"
)

// What is wrong with a store or its directory, for errors.Is. The error's text says which directory, and what to do.
var (
	// ErrInUse: another process, or another node of this one, has the store open. Stop it first.
	ErrInUse = pebble.ErrInUse
	// ErrNotStore: the directory holds something else. Name an empty directory, or that of a store.
	ErrNotStore = pebble.ErrNotStore
	// ErrNoStore: there is no store to read, or its creation was not finished.
	ErrNoStore = pebble.ErrNoStore
	// ErrNotWritable: the directory, or the lock of the store in it, cannot be written.
	ErrNotWritable = pebble.ErrNotWritable
	// ErrFormat: the store has the format of another version of Turnstone. It is not converted.
	ErrFormat = pebble.ErrFormat
	// ErrPartitions: the store has another number of partitions than Config.Partitions. Leave that 0.
	ErrPartitions = pebble.ErrPartitions
	// ErrBelowWitness: the store holds less than was durable: a disk or a copy has lost something. Restore it from a backup.
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
	// Operation is, for example, "write" or "sync directory"; Path is what it was done to.
	Operation string
	Path      string
	// Err is what the operating system says.
	Err error
}

// FailureOf returns what has failed, of an error that wraps [ErrFailed]: of a node, or of its client. ok is false for any
// other error.
func FailureOf(err error) (f Failure, ok bool) {
	var failed *pebble.Failure
	if !errors.Is(err, ErrFailed) || !errors.As(err, &failed) {
		return Failure{}, false
	}
	return Failure{Operation: failed.Op, Path: failed.Path, Err: failed.Err}, true
}

var errNoDirectory = invalid("no directory is named")

// invalid is a refusal of what the caller gave: a field of a Config or Runtime, or an argument.
func invalid(format string, args ...any) error {
	return fmt.Errorf("node: %w: %w", turnstone.ErrInvalidInput, fmt.Errorf(format, args...))
}

// stoppedStore says of an error of the store that the node has stopped, if that is what it says.
func stoppedStore(err error) error {
	if errors.Is(err, persistence.ErrStopped) || errors.Is(err, ErrFailed) {
		return fmt.Errorf("node: %w: %w", turnstone.ErrStopped, err)
	}
	return err
}
