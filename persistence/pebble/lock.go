package pebble

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/internal/clock"
)

// Two locks keep processes apart. A store has Pebble's, in the directory of the database, which is held as long as the
// store is open. A creator of a store holds another one, since there is no database yet that could be locked.

// errOtherProcess is the ErrInUse of another process. It may be one that is just ending.
var errOtherProcess = fmt.Errorf("%w by another process", ErrInUse)

// storeLock is Pebble's lock of a store.
type storeLock struct {
	*pdb.Lock
	name    string
	machine bool // it is on the machine's file system
	latch   *latch
}

// held are the locks that this process has. A store that has failed is locked until the process ends, also when nothing
// else refers to it any more: the file of a lock that is garbage is closed, and the lock ends with it. An open that is
// refused because a store has failed reports that failure.
var held = struct {
	sync.Mutex
	locks map[*storeLock]struct{}
}{locks: map[*storeLock]struct{}{}}

// Close gives the lock up.
func (l *storeLock) Close() error {
	held.Lock()
	delete(held.locks, l)
	held.Unlock()
	return l.Lock.Close()
}

// failureOf returns how the store in a directory of the machine has failed that this process has locked; nil if it has
// not.
func failureOf(name string) error {
	held.Lock()
	defer held.Unlock()
	for l := range held.locks {
		if l.machine && l.name == name {
			return l.latch.cause()
		}
	}
	return nil
}

func lockDir(f vfs.FS, dbDir string, l *latch) (*storeLock, error) {
	name := realName(f, dbDir)
	lock, err := pdb.LockDirectory(name, f)
	machine := vfs.Root(f) == vfs.Default
	if err == nil {
		s := &storeLock{Lock: lock, name: name, machine: machine, latch: l}
		held.Lock()
		held.locks[s] = struct{}{}
		held.Unlock()
		return s, nil
	}
	if machine {
		if failure := failureOf(name); failure != nil {
			return nil, fmt.Errorf("%w; end this process before the store is opened again", failure)
		}
	}
	if mayNot(err) {
		return nil, fmt.Errorf("%w: the lock of the store cannot be taken: %w; a store is locked while it is read, too: "+
			"run as a user who may write %s, or name a copy of the store that you may write",
			ErrNotWritable, err, f.PathJoin(dbDir, "LOCK"))
	}
	return nil, lockError(f, err)
}

// mayNot says whether an error means that this process may not write.
func mayNot(err error) bool { return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) }

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
func creationLock(o *Options) string { return o.FS.PathJoin(o.Dir, creatingLockName) }

// lockCreation keeps others from creating the same store.
//
// The file is removed only when the store is whole. A process may lock the file just after its removal, and that lock
// excludes no other process. It finds the store when it looks again, and creates nothing.
func lockCreation(o *Options) (io.Closer, error) {
	name := creationLock(o)
	lock, err := o.FS.Lock(name)
	if held := lockError(o.FS, err); errors.Is(held, ErrInUse) {
		return nil, held
	}
	if err != nil {
		return nil, notWritable("lock", name, err)
	}
	return lock, nil
}

// removeLeftovers removes what a creator left that ended after the store was whole. Nothing depends on it. On a file
// system that does not move names in one step the database may be there by both its names.
func removeLeftovers(o *Options) {
	name := creationLock(o)
	if _, err := o.FS.Stat(name); err != nil {
		return
	}
	err := o.FS.RemoveAll(o.FS.PathJoin(o.Dir, creatingName))
	if err == nil {
		err = o.FS.Remove(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		o.Log("what the creation of the store has left is not needed and cannot be removed: %v", err)
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
