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

// Two locks exclude other processes. An open store holds Pebble's lock, in the directory of the database. A creator of a
// store holds another lock, since there is no database yet that could be locked.

// errOtherProcess is the ErrInUse for a store of another process, which may be about to end.
var errOtherProcess = fmt.Errorf("%w by another process", ErrInUse)

// storeLock is Pebble's lock of a store.
type storeLock struct {
	*pdb.Lock
	name    string
	machine bool // it is on the machine's file system
	latch   *latch
}

// held has the locks of this process. It keeps the lock of a failed store referenced until the process ends: otherwise the
// garbage collector would close the lock's file, and the lock would end. When an open is refused because a store has failed,
// its error is that failure.
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

// failureOf returns the failure of a store on the machine's file system that this process has locked; nil if it has not
// failed.
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
	if notPermitted(err) {
		return nil, fmt.Errorf("%w: the lock of the store cannot be taken: %w; a store is locked while it is read, too: "+
			"run as a user who may write %s, or name a copy of the store that you may write",
			ErrNotWritable, err, f.PathJoin(dbDir, "LOCK"))
	}
	return nil, lockError(f, err)
}

// notPermitted reports whether an error means that this process may not write.
func notPermitted(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// lockError explains why a lock was refused.
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
// The file is removed only when the store is whole. A process that locks the file just after its removal excludes no other
// process. When it examines the directory again it finds the store, and creates nothing.
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

// removeLeftovers removes the files of a creator that ended after the store was whole. Its errors are ignored, because the
// files do no harm. On a file system that does not rename in one step, the database may still have both its names.
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
	// lockWaitDefault is much more than a killed process takes to end.
	lockWaitDefault = 2 * time.Second
	// lockPoll is the pause between two attempts to get a lock.
	lockPoll = 10 * time.Millisecond
)

// lockWait paces the attempts to get a lock that another process holds.
type lockWait struct {
	clock clock.Clock
	left  time.Duration
}

// pause waits until it is time for another attempt. It returns an error if there is none: that the lock is held, with the
// error of ctx if that has ended.
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
