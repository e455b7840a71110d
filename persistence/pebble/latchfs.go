package pebble

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// latchFS lies between Pebble and the file system. It sees the first failed write or sync before Pebble does, and blocks
// all later ones. It knows how much of each log is synced, and syncs the directory of a new manifest.
//
// It covers the store's directory. Pebble writes elsewhere only for a backup: those errors go to the caller, and the store
// goes on.
type latchFS struct {
	vfs.FS
	latch *latch
	logs  *logTable
	// dir is the store's directory. It is set before Pebble is opened.
	dir string
	// ahead is how many bytes of a log are at most allocated beyond those that are written.
	ahead int64
	// archive, while it is set, is the directory to which files are moved that Pebble removes. It keeps the files that a wrong
	// open would delete until the open has been checked.
	archive struct {
		sync.RWMutex // held for reading while a file is moved, so that no file is moved after the archive has ended
		dir          string
	}
}

// outside reports whether a path is outside the store's directory.
func (f *latchFS) outside(path string) bool {
	rest, ok := strings.CutPrefix(path, f.dir)
	return !ok || rest != "" && rest[0] != '/'
}

// do runs an operation that changes files. An error never reaches the caller, unless the path is outside the store.
func (f *latchFS) do(op, path string, run func() error) error {
	if f.outside(path) {
		if err := f.latch.cause(); err != nil {
			return err
		}
		return run()
	}
	if f.latch.blocksPebble() {
		<-f.latch.dropped
	}
	if err := run(); err != nil {
		f.latch.stop(op, path, err)
	}
	return nil
}

// Create implements vfs.FS.
func (f *latchFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	var file vfs.File
	err := f.do("create", name, func() (err error) { file, err = f.FS.Create(name, category); return err })
	if err == nil && isManifest(f.PathBase(name)) {
		err = f.do("sync directory", f.PathDir(name), func() error { return syncDir(f.FS, f.PathDir(name)) })
	}
	return f.wrap(name, file, err)
}

// wrap watches a file of the store that was opened for writing.
func (f *latchFS) wrap(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil || f.outside(name) {
		return file, err
	}
	w := &latchFile{File: file, fs: f, name: name}
	if isWitnessed(f.PathBase(name)) {
		w.log = f.logs.create(f.PathBase(name))
	}
	return w, nil
}

// Open implements vfs.FS.
func (f *latchFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.Open(name, opts...)
	if err != nil || f.outside(name) {
		return file, err
	}
	return &latchReader{File: file, latch: f.latch, name: name}, nil
}

// Link implements vfs.FS.
func (f *latchFS) Link(oldname, newname string) error {
	return f.do("link", newname, func() error { return f.FS.Link(oldname, newname) })
}

// OpenReadWrite implements vfs.FS.
func (f *latchFS) OpenReadWrite(
	name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (vfs.File, error) {
	var file vfs.File
	err := f.do("open", name, func() (err error) { file, err = f.FS.OpenReadWrite(name, category, opts...); return err })
	return f.wrap(name, file, err)
}

// OpenDir implements vfs.FS.
func (f *latchFS) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	if err != nil || f.outside(name) {
		return dir, err
	}
	return &latchFile{File: dir, fs: f, name: name, dir: true}, nil
}

// archiveTo has files that Pebble removes from now on moved into dir; "" removes them for good. When it returns, all moves
// to the directory before have ended.
func (f *latchFS) archiveTo(dir string) {
	f.archive.Lock()
	f.archive.dir = dir
	f.archive.Unlock()
}

// Remove implements vfs.FS. The error for a file that does not exist goes to the caller.
func (f *latchFS) Remove(name string) error {
	if f.outside(name) {
		return f.do("remove", name, func() error { return f.FS.Remove(name) })
	}
	if err := f.logs.beforeRemoval(f.PathBase(name)); err != nil {
		return err // Pebble ignores it, and removes the file when it is opened again
	}
	var missing error
	err := f.do("remove", name, func() error {
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
	return errors.Join(err, missing)
}

// RemoveAll implements vfs.FS.
func (f *latchFS) RemoveAll(name string) error {
	return f.do("remove", name, func() error { return f.FS.RemoveAll(name) })
}

// Rename implements vfs.FS.
func (f *latchFS) Rename(oldname, newname string) error {
	if !f.outside(oldname) {
		if err := f.logs.beforeRemoval(f.PathBase(oldname)); err != nil {
			f.latch.stop("write witness before the rename of", oldname, err)
		}
	}
	return f.do("rename", oldname, func() error { return f.FS.Rename(oldname, newname) })
}

// ReuseForWrite implements vfs.FS. Pebble keeps no log for reuse: see pebbleOptions.
func (f *latchFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.Remove(oldname); err != nil {
		return nil, err
	}
	return f.Create(newname, category)
}

// MkdirAll implements vfs.FS.
func (f *latchFS) MkdirAll(dir string, perm fs.FileMode) error {
	return f.do("create directory", dir, func() error { return f.FS.MkdirAll(dir, perm) })
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
	// allocated is how many bytes of a log are allocated. Only Write uses it, which is not called concurrently.
	allocated int64
}

// Write implements vfs.File.
func (f *latchFile) Write(p []byte) (n int, err error) {
	if f.log != nil {
		f.allocate(f.log.written.Load() + int64(len(p)))
	}
	err = f.fs.do("write", f.name, func() (err error) { n, err = f.File.Write(p); return err })
	if f.log != nil {
		f.log.written.Add(int64(n))
	}
	return n, err
}

// Preallocate implements vfs.File, and does nothing. Pebble asks for more than a whole memtable as soon as a log has a byte,
// which would be most of an empty store. Write allocates in smaller steps.
func (f *latchFile) Preallocate(int64, int64) error { return nil }

// firstAhead is the first step in which a log is allocated.
const firstAhead = 256 << 10

// allocate allocates a log's blocks up to end, and some more, so that a sync has fewer of them to record. The steps double.
// It ignores errors: the write that follows meets the same ones.
func (f *latchFile) allocate(end int64) {
	if end <= f.allocated || f.fs.ahead <= 0 || isManifest(f.fs.PathBase(f.name)) {
		return
	}
	step := min(max(firstAhead, f.allocated), f.fs.ahead)
	to := end + step
	_ = f.File.Preallocate(f.allocated, to-f.allocated)
	f.allocated = to
}

// WriteAt implements vfs.File.
func (f *latchFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.fs.do("write", f.name, func() (err error) { n, err = f.File.WriteAt(p, off); return err })
	return n, err
}

// Close implements vfs.File. A file system may report a lost write as late as here.
func (f *latchFile) Close() error {
	if f.dir {
		return f.File.Close()
	}
	return f.fs.do("close", f.name, f.File.Close)
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
	err := f.fs.do(op, f.name, run)
	if f.log != nil {
		f.log.raise(written)
	}
	return err
}

// Sync implements vfs.File.
func (f *latchFile) Sync() error { return f.sync(f.File.Sync) }

// SyncData implements vfs.File.
func (f *latchFile) SyncData() error { return f.sync(f.File.SyncData) }

// SyncTo implements vfs.File. Only a full sync counts as durable.
func (f *latchFile) SyncTo(length int64) (full bool, err error) {
	err = f.fs.do("sync", f.name, func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// latchReader is a file of the store that was opened for reading. A failed read is a failure of the disk. latchReader sees
// it, with its path, before Pebble repeats the read.
type latchReader struct {
	vfs.File
	latch *latch
	name  string
}

// Read implements vfs.File.
func (f *latchReader) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	return n, f.check(err)
}

// ReadAt implements vfs.File.
func (f *latchReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	return n, f.check(err)
}

// check returns an error, and stops the store unless it is io.EOF. It does not block its caller, which may be a reader with
// Pebble's locks.
func (f *latchReader) check(err error) error {
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, fs.ErrClosed) {
		f.latch.trip("read", f.name, err)
	}
	return err
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
