package pebble

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/internal/clock"
)

// Two locks keep processes apart. A store has Pebble's, in its own directory, which is held as long as the store is
// open. Who creates a store holds another one beside the place of the store, since there is no directory yet that could
// be locked.

// errOtherProcess is the ErrInUse of another process. It may be one that is just ending.
var errOtherProcess = fmt.Errorf("%w by another process", ErrInUse)

func lockDir(f vfs.FS, dbDir string) (*pdb.Lock, error) {
	lock, err := pdb.LockDirectory(realName(f, dbDir), f)
	return lock, lockError(f, err)
}

// realName is the same for a directory however it is named: the operating system does not keep a process from its own
// locks, so they are told apart by their names.
func realName(f vfs.FS, dir string) string {
	if vfs.Root(f) != vfs.Default {
		return dir
	}
	name, err := filepath.Abs(dir)
	if err == nil {
		name, err = filepath.EvalSymlinks(name)
	}
	if err != nil {
		return dir // whoever uses the name will meet what is wrong with it
	}
	return name
}

// lockError says in words why a lock was refused.
func lockError(f vfs.FS, err error) error {
	_, memory := vfs.Root(f).(*vfs.MemFS) // which no other process sees
	held := errors.Is(err, syscall.EAGAIN)
	switch {
	case err == nil:
		return nil
	case held && memory, strings.Contains(err.Error(), "lock held by current process"):
		return fmt.Errorf("%w by this process (%w); close it first, or name another directory", ErrInUse, err)
	case held:
		return fmt.Errorf("%w (%w); stop it first, or name another directory", errOtherProcess, err)
	}
	return fmt.Errorf("its lock cannot be taken: %w", err)
}

// creationLock is the file that a creator of the store locks.
func creationLock(o *Options) string { return o.Dir + ".creating.lock" }

// lockCreation keeps others from creating the same store.
//
// The file is removed only when the store is in its place. So whoever locks a file that has just been removed, and
// with it excludes nobody, finds the store when it looks again, and creates nothing.
func lockCreation(o *Options) (io.Closer, error) {
	name := creationLock(o)
	lock, err := o.FS.Lock(o.FS.PathJoin(realName(o.FS, o.FS.PathDir(name)), o.FS.PathBase(name)))
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w: %w", ErrNotWritable, err)
	}
	return lock, lockError(o.FS, err)
}

// removeCreationLock removes what a creator left that ended after the store was in its place. Nothing depends on it.
func removeCreationLock(o *Options) {
	name := creationLock(o)
	if _, err := o.FS.Stat(name); err != nil {
		return
	}
	if err := o.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.Log("%s is not needed and cannot be removed: %v", name, err)
	}
}

const (
	// lockWaitDefault is what a process that was killed may take to end, with much to spare.
	lockWaitDefault = 2 * time.Second
	// lockPoll is how often a lock is asked for again.
	lockPoll = 10 * time.Millisecond
)

// lockWait paces the attempts to get a lock that another process holds.
type lockWait struct {
	clock clock.Clock
	left  time.Duration
}

// pause waits until it is time for another attempt. An error says that there is none: that the lock is held, and that
// ctx has ended if it has.
func (w *lockWait) pause(ctx context.Context, held error) error {
	if w.left <= 0 {
		return held
	}
	w.left -= lockPoll
	due := make(chan struct{})
	timer := w.clock.AfterFunc(lockPoll, func() { close(due) })
	defer timer.Stop()
	select {
	case <-due:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w; waited for it: %w", held, context.Cause(ctx))
	}
}
