package pebble

import (
	"errors"
	"io/fs"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// latchFS lies between Pebble and the file system. It sees the first failed write-side operation before Pebble does,
// and lets none through after it. It knows how much of each log is synced, and syncs the directory of a new manifest.
type latchFS struct {
	vfs.FS
	latch *latch
	logs  *logTable
	// archive, while it is set, is the directory to which files are moved that Pebble wants to remove: what a wrong open
	// would delete is kept until the open has been checked.
	archive struct {
		sync.RWMutex // held for reading while a file is moved, so that none arrives after the archive has ended
		dir          string
	}
}

// do runs a write-side operation. An error never reaches the caller.
func (f *latchFS) do(op, path string, run func() error) {
	if f.latch.parks() {
		<-f.latch.left
	}
	if err := run(); err != nil {
		f.latch.stop(op, path, err)
	}
}

// Create implements vfs.FS.
func (f *latchFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	var file vfs.File
	f.do("create", name, func() (err error) { file, err = f.FS.Create(name, category); return err })
	if strings.HasPrefix(f.PathBase(name), "MANIFEST-") {
		f.do("sync directory", f.PathDir(name), func() error { return syncDir(f.FS, f.PathDir(name)) })
	}
	return f.wrap(name, file), nil
}

func (f *latchFS) wrap(name string, file vfs.File) vfs.File {
	w := &latchFile{File: file, fs: f, name: name}
	if isWitnessed(f.PathBase(name)) {
		w.log = f.logs.create(f.PathBase(name))
	}
	return w
}

// Link implements vfs.FS.
func (f *latchFS) Link(oldname, newname string) error {
	f.do("link", newname, func() error { return f.FS.Link(oldname, newname) })
	return nil
}

// OpenReadWrite implements vfs.FS.
func (f *latchFS) OpenReadWrite(
	name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (vfs.File, error) {
	var file vfs.File
	f.do("open", name, func() (err error) { file, err = f.FS.OpenReadWrite(name, category, opts...); return err })
	return f.wrap(name, file), nil
}

// OpenDir implements vfs.FS.
func (f *latchFS) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &latchFile{File: dir, fs: f, name: name, dir: true}, nil
}

// archiveTo moves files that are removed from now on into dir; "" removes them for good. A move that has begun is over
// when it returns.
func (f *latchFS) archiveTo(dir string) {
	f.archive.Lock()
	f.archive.dir = dir
	f.archive.Unlock()
}

// Remove implements vfs.FS. A file that is not there is the caller's business.
func (f *latchFS) Remove(name string) error {
	var missing error
	f.logs.gone(f.PathBase(name))
	f.do("remove", name, func() error {
		var err error
		f.archive.RLock()
		defer f.archive.RUnlock()
		if f.archive.dir != "" {
			err = f.FS.Rename(name, f.PathJoin(f.archive.dir, f.PathBase(name)))
		} else {
			err = f.FS.Remove(name)
		}
		if errors.Is(err, fs.ErrNotExist) {
			missing, err = err, nil
		}
		return err
	})
	return missing
}

// RemoveAll implements vfs.FS.
func (f *latchFS) RemoveAll(name string) error {
	f.do("remove", name, func() error { return f.FS.RemoveAll(name) })
	return nil
}

// Rename implements vfs.FS.
func (f *latchFS) Rename(oldname, newname string) error {
	f.logs.gone(f.PathBase(oldname))
	f.do("rename", oldname, func() error { return f.FS.Rename(oldname, newname) })
	return nil
}

// ReuseForWrite implements vfs.FS.
func (f *latchFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	var file vfs.File
	f.logs.gone(f.PathBase(oldname))
	f.do("reuse", newname, func() (err error) { file, err = f.FS.ReuseForWrite(oldname, newname, category); return err })
	return f.wrap(newname, file), nil
}

// MkdirAll implements vfs.FS.
func (f *latchFS) MkdirAll(dir string, perm fs.FileMode) error {
	f.do("create directory", dir, func() error { return f.FS.MkdirAll(dir, perm) })
	return nil
}

// Unwrap implements vfs.FS.
func (f *latchFS) Unwrap() vfs.FS { return f.FS }

// latchFile is a file that was opened for writing, or a directory.
type latchFile struct {
	vfs.File
	fs   *latchFS
	name string
	dir  bool
	log  *logFile // nil unless it is a log
}

// Write implements vfs.File.
func (f *latchFile) Write(p []byte) (n int, err error) {
	f.fs.do("write", f.name, func() (err error) { n, err = f.File.Write(p); return err })
	if f.log != nil {
		f.log.written.Add(int64(n))
	}
	return n, nil
}

// WriteAt implements vfs.File.
func (f *latchFile) WriteAt(p []byte, off int64) (n int, err error) {
	f.fs.do("write", f.name, func() (err error) { n, err = f.File.WriteAt(p, off); return err })
	return n, nil
}

// Close implements vfs.File. A file system may report a lost write as late as here.
func (f *latchFile) Close() error {
	if f.dir {
		return f.File.Close()
	}
	f.fs.do("close", f.name, f.File.Close)
	return nil
}

func (f *latchFile) sync(run func() error) error {
	op := "sync"
	if f.dir {
		op = "sync directory"
	}
	var written int64
	if f.log != nil {
		written = f.log.written.Load()
	}
	f.fs.do(op, f.name, run)
	if f.log != nil {
		f.log.raise(written)
	}
	return nil
}

// Sync implements vfs.File.
func (f *latchFile) Sync() error { return f.sync(f.File.Sync) }

// SyncData implements vfs.File.
func (f *latchFile) SyncData() error { return f.sync(f.File.SyncData) }

// SyncTo implements vfs.File. It promises nothing unless it synced everything.
func (f *latchFile) SyncTo(length int64) (full bool, err error) {
	f.fs.do("sync", f.name, func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, nil
}

func syncDir(fs vfs.FS, name string) error {
	dir, err := fs.OpenDir(name)
	if err != nil {
		return err
	}
	err = dir.Sync()
	if cerr := dir.Close(); err == nil {
		err = cerr
	}
	return err
}
