package pebble

import (
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/internal/clock"
)

// opFS tells a hook of every write-side operation before it is done. If the hook gives an error, the operation is not
// done and fails with it. Unlike Pebble's own injector it sees closes.
type opFS struct {
	vfs.FS
	hook func(op, path string) error
	// lie, if set, says of which files a sync is not done but reported as done.
	lie func(path string) bool
}

// Create implements vfs.FS.
func (f *opFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.hook("create", name); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name, category)
	return f.wrap(name, file, err)
}

func (f *opFS) wrap(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &opFile{File: file, fs: f, name: name}, nil
}

// Link implements vfs.FS.
func (f *opFS) Link(oldname, newname string) error {
	if err := f.hook("link", newname); err != nil {
		return err
	}
	return f.FS.Link(oldname, newname)
}

// OpenReadWrite implements vfs.FS.
func (f *opFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	if err := f.hook("open", name); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenReadWrite(name, c, opts...)
	return f.wrap(name, file, err)
}

// OpenDir implements vfs.FS.
func (f *opFS) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &opFile{File: dir, fs: f, name: name, dir: true}, nil
}

// Remove implements vfs.FS.
func (f *opFS) Remove(name string) error {
	if err := f.hook("remove", name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

// RemoveAll implements vfs.FS.
func (f *opFS) RemoveAll(name string) error {
	if err := f.hook("remove", name); err != nil {
		return err
	}
	return f.FS.RemoveAll(name)
}

// Rename implements vfs.FS.
func (f *opFS) Rename(oldname, newname string) error {
	if err := f.hook("rename", oldname); err != nil {
		return err
	}
	return f.FS.Rename(oldname, newname)
}

// MkdirAll implements vfs.FS.
func (f *opFS) MkdirAll(dir string, perm fs.FileMode) error {
	if err := f.hook("create directory", dir); err != nil {
		return err
	}
	return f.FS.MkdirAll(dir, perm)
}

// Lock implements vfs.FS.
func (f *opFS) Lock(name string) (io.Closer, error) {
	if err := f.hook("lock", name); err != nil {
		return nil, err
	}
	return f.FS.Lock(name)
}

// Unwrap implements vfs.FS.
func (f *opFS) Unwrap() vfs.FS { return f.FS }

type opFile struct {
	vfs.File
	fs   *opFS
	name string
	dir  bool
}

// Write implements vfs.File.
func (f *opFile) Write(p []byte) (int, error) {
	if err := f.fs.hook("write", f.name); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

// WriteAt implements vfs.File.
func (f *opFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fs.hook("write", f.name); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

// Close implements vfs.File. The file is closed even if that fails.
func (f *opFile) Close() error {
	var injected error
	if !f.dir {
		injected = f.fs.hook("close", f.name)
	}
	if err := f.File.Close(); err != nil {
		return err
	}
	return injected
}

func (f *opFile) sync(run func() error) error {
	op := "sync"
	if f.dir {
		op = "sync directory"
	}
	if err := f.fs.hook(op, f.name); err != nil {
		return err
	}
	if f.fs.lie != nil && f.fs.lie(f.name) {
		return nil
	}
	return run()
}

// Sync implements vfs.File.
func (f *opFile) Sync() error { return f.sync(f.File.Sync) }

// SyncData implements vfs.File.
func (f *opFile) SyncData() error { return f.sync(f.File.SyncData) }

// SyncTo implements vfs.File.
func (f *opFile) SyncTo(length int64) (full bool, err error) {
	err = f.sync(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// handClock is a clock whose timers fire when a test says so.
type handClock struct {
	mu     sync.Mutex
	timers []*handTimer
}

type handTimer struct {
	f    func()
	done atomic.Bool
}

var _ clock.Clock = (*handClock)(nil)

// Now implements clock.Clock.
func (*handClock) Now() time.Time { return time.UnixMilli(1_700_000_000_000) }

// Elapsed implements clock.Clock.
func (*handClock) Elapsed() time.Duration { return time.Hour }

// AfterFunc implements clock.Clock.
func (c *handClock) AfterFunc(_ time.Duration, f func()) clock.Timer {
	t := &handTimer{f: f}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timers = append(c.timers, t)
	return t
}

// Stop implements clock.Timer.
func (t *handTimer) Stop() bool { return t.done.CompareAndSwap(false, true) }

// fire calls all that waits.
func (c *handClock) fire() {
	c.mu.Lock()
	due := c.timers
	c.timers = nil
	c.mu.Unlock()
	for _, t := range due {
		if t.Stop() {
			t.f()
		}
	}
}

// operation is one write-side operation of a file system.
type operation struct {
	n        int
	op, path string
}

// String names the operation.
func (o operation) String() string { return fmt.Sprintf("operation %d, %s %s", o.n, o.op, o.path) }
