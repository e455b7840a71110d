package pebble

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
)

// useStore opens a store, has it keep something, closes it, and verifies it and what lies in its directory.
func useStore(t *testing.T, o Options, others ...string) {
	t.Helper()
	o.Partitions = 2
	o.OnFatal = func(op, path string, err error) { t.Errorf("the store stops: %s %s: %v", op, path, err) }
	s, err := Open(o)
	must(t, err)
	r := await(s, s.PartitionOf("kept"), persistence.Proposal{Command: &persistence.StartInstance{ID: "kept", Name: "o"}})
	must(t, errors.Join(r.Err, s.Close()))
	rep, err := Verify(o)
	if err != nil || len(rep.Damages) > 0 || rep.Rows["start"] != 1 {
		t.Fatalf("%v, %+v", err, rep)
	}
	files := o.FS
	if files == nil {
		files = vfs.Default
	}
	names, err := files.List(o.Dir)
	must(t, err)
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(others, name) })
	if !isWholeStore(names) {
		t.Errorf("in the directory: %v", names)
	}
}

// insideFS is the machine's file system, seen from a process that may change nothing but what is inside dir: not the
// directory itself, which may be a mount point, and nothing beside it.
type insideFS struct {
	vfs.FS
	dir   string
	cause error
	tried *[]string
}

func (f insideFS) check(op string, names ...string) error {
	for _, name := range names {
		if abs, err := filepath.Abs(name); err != nil || !strings.HasPrefix(abs, f.dir+"/") {
			*f.tried = append(*f.tried, op+" "+name)
			return &fs.PathError{Op: op, Path: name, Err: f.cause}
		}
	}
	return nil
}

// Create implements vfs.FS.
func (f insideFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.check("create", name); err != nil {
		return nil, err
	}
	return f.FS.Create(name, c)
}

// Link implements vfs.FS.
func (f insideFS) Link(oldname, newname string) error {
	if err := f.check("link", oldname, newname); err != nil {
		return err
	}
	return f.FS.Link(oldname, newname)
}

// Remove implements vfs.FS.
func (f insideFS) Remove(name string) error {
	if err := f.check("remove", name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

// RemoveAll implements vfs.FS.
func (f insideFS) RemoveAll(name string) error {
	if err := f.check("remove", name); err != nil {
		return err
	}
	return f.FS.RemoveAll(name)
}

// Rename implements vfs.FS.
func (f insideFS) Rename(oldname, newname string) error {
	if err := f.check("rename", oldname, newname); err != nil {
		return err
	}
	return f.FS.Rename(oldname, newname)
}

// MkdirAll implements vfs.FS.
func (f insideFS) MkdirAll(dir string, perm fs.FileMode) error {
	if err := f.check("mkdir", dir); err != nil {
		return err
	}
	return f.FS.MkdirAll(dir, perm)
}

// Lock implements vfs.FS.
func (f insideFS) Lock(name string) (io.Closer, error) {
	if err := f.check("lock", name); err != nil {
		return nil, err
	}
	return f.FS.Lock(name)
}

// OpenDir implements vfs.FS: what lies above may not even be read.
func (f insideFS) OpenDir(name string) (vfs.File, error) {
	if abs, err := filepath.Abs(name); err != nil || !strings.HasPrefix(abs+"/", f.dir+"/") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return f.FS.OpenDir(name)
}

// Unwrap implements vfs.FS.
func (f insideFS) Unwrap() vfs.FS { return f.FS }

// TestCreateOnlyInside makes a store in an empty directory that itself, as the root of a volume is, can be neither
// removed nor renamed, and beside which, as under a parent of root, nothing can be written.
func TestCreateOnlyInside(t *testing.T) {
	for name, cause := range map[string]error{"mount point": syscall.EBUSY, "parent of another user": syscall.EACCES} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(realName(vfs.Default, t.TempDir()), "data")
			must(t, os.Mkdir(dir, 0o755))
			var tried []string
			useStore(t, Options{Dir: dir, FS: insideFS{FS: vfs.Default, dir: dir, cause: cause, tried: &tried}})
			if len(tried) > 0 {
				t.Errorf("it tried, too: %v", tried)
			}
			if names, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(names) != 1 {
				t.Errorf("beside the directory: %v, %v", names, err)
			}
		})
	}
}

// TestLostAndFoundCountsAsNothing: every new ext4 volume has one in its root.
func TestLostAndFoundCountsAsNothing(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, lostAndFound), 0o700))
	if _, err := Verify(Options{Dir: dir}); !errors.Is(err, ErrNoStore) {
		t.Errorf("nothing else is there, to read: %v", err)
	}
	useStore(t, Options{Dir: dir}, lostAndFound)
	useReopened(t, dir)
	if _, err := os.Stat(filepath.Join(dir, lostAndFound)); err != nil {
		t.Error(err)
	}
}

// useReopened opens an existing store for writing.
func useReopened(t *testing.T, dir string) {
	t.Helper()
	s, err := Open(Options{Dir: dir, Manual: true})
	must(t, err)
	must(t, s.Close())
}

// TestCreateInEmptyDirectory keeps the directory that was there: a process that has it open still sees the store.
func TestCreateInEmptyDirectory(t *testing.T) {
	dir := t.TempDir()
	before, err := os.Stat(dir)
	must(t, err)
	useStore(t, Options{Dir: dir})
	if after, err := os.Stat(dir); err != nil || !os.SameFile(before, after) {
		t.Errorf("the directory was replaced: %v", err)
	}
}

// TestCreateInWorkingDirectory makes a store in "." and leaves the directory while it is open.
func TestCreateInWorkingDirectory(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	s, err := Open(Options{Dir: ".", Partitions: 2})
	must(t, err)
	t.Chdir(t.TempDir())
	r := await(s, 0, persistence.Proposal{Command: &persistence.StartInstance{ID: "elsewhere", Name: "o"}})
	must(t, errors.Join(r.Err, s.Close()))
	if names, err := os.ReadDir("."); err != nil || len(names) != 0 {
		t.Errorf("in the new working directory: %v, %v", names, err)
	}
	t.Chdir(dir)
	must(t, os.RemoveAll(dbName))
	must(t, os.Remove(witnessName))
	useStore(t, Options{Dir: "."})
}

// TestCreateThroughLink makes a store where a symbolic link leads, and the link stays.
func TestCreateThroughLink(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	must(t, os.MkdirAll("disk/real", 0o755))
	must(t, os.Symlink("disk/real", "link"))
	useStore(t, Options{Dir: "link"})
	if target, err := os.Readlink("link"); err != nil || target != "disk/real" {
		t.Errorf("the link is %q, %v", target, err)
	}
	s, err := Open(Options{Dir: "link", Manual: true})
	must(t, err)
	if _, err := Open(Options{Dir: "disk/real", Manual: true}); !errors.Is(err, ErrInUse) {
		t.Errorf("by its other name: %v", err)
	}
	must(t, s.Close())
	for _, where := range []string{dir, "disk"} {
		if names, err := os.ReadDir(where); err != nil || len(names) > 2 {
			t.Errorf("in %s: %v, %v", where, names, err)
		}
	}
}

// TestTwoNamesAreCreatedUnderOneLock holds the lock of a creator that names the directory otherwise.
func TestTwoNamesAreCreatedUnderOneLock(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, os.MkdirAll("real", 0o755))
	must(t, os.Symlink("real", "link"))
	lock, err := lockCreation(&Options{Dir: realName(vfs.Default, "real"), FS: vfs.Default})
	must(t, err)
	if _, err := Open(Options{Dir: "link", Manual: true}); !errors.Is(err, ErrInUse) {
		t.Errorf("the link while the directory is being made a store: %v", err)
	}
	must(t, lock.Close())
	useStore(t, Options{Dir: "link"})
}

// TestDanglingLinkIsRefused: it may lead to a volume that is not mounted.
func TestDanglingLinkIsRefused(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	must(t, os.Symlink("disk/real", "link"))
	for _, name := range []string{"link", "link/store"} {
		_, err := Open(Options{Dir: name, Manual: true})
		if !errors.Is(err, ErrNotWritable) || !strings.Contains(err.Error(), "is a symbolic link to disk/real, which does not exist") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Verify(Options{Dir: name}); !errors.Is(err, ErrNoStore) {
			t.Errorf("%s, to read: %v", name, err)
		}
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("in the directory: %v, %v", names, err)
	}
	must(t, os.MkdirAll("disk/real", 0o755))
	useStore(t, Options{Dir: "link"})
}

// deniedFS refuses locks, as a file of another user and a file system that is mounted read-only do.
type deniedFS struct {
	vfs.FS
	cause error
}

// Lock implements vfs.FS.
func (f deniedFS) Lock(name string) (io.Closer, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: f.cause}
}

// TestReadingNeedsTheLock says what to do about a store that one may only read.
func TestReadingNeedsTheLock(t *testing.T) {
	mem := closedStore(t)
	for _, cause := range []error{syscall.EACCES, syscall.EROFS} {
		_, err := Verify(Options{Dir: "store", FS: deniedFS{mem, cause}})
		if !errors.Is(err, ErrNotWritable) || !errors.Is(err, cause) {
			t.Errorf("it ended with %v", err)
		}
		for _, words := range []string{"locked while it is read", "run as a user who may write store/db/LOCK", "a copy of the store"} {
			if !strings.Contains(err.Error(), words) {
				t.Errorf("%q does not say %q", err, words)
			}
		}
	}
}

// creationRun makes a store and calls at before each operation, of which it gives the number from 1.
func creationRun(t *testing.T, mem *vfs.MemFS, at func(operation) error) error {
	t.Helper()
	var mu sync.Mutex
	count := 0
	s, err := Open(Options{
		Dir: "store", Partitions: 2, Manual: true, FS: &opFS{FS: mem, hook: func(op, path string) error {
			mu.Lock()
			defer mu.Unlock()
			count++
			return at(operation{count, op, path})
		}},
		OnFatal: func(op, path string, err error) { panic(fmt.Sprintf("%s %s: %v", op, path, err)) },
	})
	if err == nil {
		err = s.Close()
	}
	return err
}

// creationEnd is the number of the last operation of a creation: the sync after its lock's file is removed.
func creationEnd(t *testing.T) (end int) {
	t.Helper()
	removed := false
	must(t, creationRun(t, vfs.NewMem(), func(o operation) error {
		if o.op == "remove" && o.path == "store/creating.lock" {
			removed = true
		}
		if removed && end == 0 && o.op == "sync directory" {
			end = o.n
		}
		return nil
	}))
	if end < 30 {
		t.Fatalf("a creation has %d operations only", end)
	}
	return end
}

// TestFailedCreationIsGivenBack fails each operation of a creation. None of them ends the process: the error says what
// failed where, and the next attempt, by the same process, makes the store.
func TestFailedCreationIsGivenBack(t *testing.T) {
	end := creationEnd(t)
	for at := 1; at <= end; at += stride() {
		for _, cause := range []error{syscall.EIO, syscall.ENOSPC, syscall.EBUSY} {
			mem := vfs.NewMem()
			var broken operation
			err := creationRun(t, mem, func(o operation) error {
				if o.n != at {
					return nil
				}
				broken = o
				return cause
			})
			where := fmt.Sprintf("open store store: not writable: %s %s: %v", broken.op, broken.path, cause)
			if !errors.Is(err, ErrNotWritable) || !errors.Is(err, cause) || err.Error() != where {
				t.Fatalf("%v fails as %v: %v", broken, cause, err)
			}
			useStore(t, Options{Dir: "store", FS: mem})
		}
	}
	t.Logf("%d operations", end)
}

// TestUnfinishedCreation ends a creation before each operation, as a crash does that keeps only what was synced, or some
// of the rest. Who may only read is told that there is no store, and changes nothing; who writes gets a whole one. Once
// the witness was there, it is the store that it speaks of.
func TestUnfinishedCreation(t *testing.T) {
	end := creationEnd(t)
	mem := vfs.NewCrashableMem()
	images := map[operation]*vfs.MemFS{}
	must(t, creationRun(t, mem, func(o operation) error {
		percents := []int{0, 30, 50, 70, 100}
		if o.op == "sync directory" { // the names that are there so far may be kept in any combination
			percents = append(percents, slices.Repeat([]int{50}, 60/stride())...)
		}
		for i, percent := range percents {
			if o.n <= end {
				at := operation{o.n, fmt.Sprintf("%s (kept %d, %d %%)", o.op, i, percent), o.path}
				images[at] = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(i), uint64(o.n)))})
			}
		}
		return nil
	}))
	kinds := map[string]int{}
	for at, image := range images {
		o := Options{Dir: "store", FS: image, Manual: true}
		kind, id := "nothing", ""
		if w, err := readWitness(image, "store"); err == nil {
			id = w.store
			kind = "witness"
		}
		_, err := image.Stat("store/db")
		if moved := err == nil; moved && id == "" {
			t.Fatalf("cut before %v: the database has its name, and there is no witness", at)
		} else if moved {
			kind = "whole"
		}
		kinds[kind]++
		before := image.String()
		if kind != "whole" {
			o.ReadOnly = true
			if _, err := Open(o); !errors.Is(err, ErrNoStore) {
				t.Fatalf("cut before %v, to read: %v", at, err)
			}
			if after := image.String(); after != before {
				t.Fatalf("cut before %v: reading has changed\n%s\nto\n%s", at, before, after)
			}
			o.ReadOnly = false
		}
		s, err := Open(o)
		if err != nil {
			t.Fatalf("cut before %v: %v\n%s", at, err, before)
		}
		if id != "" && s.Info().ID != id {
			t.Fatalf("cut before %v: store %s was whole, and %s is there now", at, id, s.Info().ID)
		}
		must(t, s.Close())
		names, err := image.List("store")
		if err != nil || !isWholeStore(names) {
			t.Fatalf("cut before %v: in the store: %v, %v", at, names, err)
		}
	}
	t.Logf("%v", kinds)
	if kinds["nothing"] == 0 || kinds["witness"] == 0 || kinds["whole"] == 0 {
		t.Error("a kind of end was not reached")
	}
}

// TestOnlyOurLeftoversAreTouched opens directories that hold names of a creation, but not only what one leaves.
func TestOnlyOurLeftoversAreTouched(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		want  error
		text  string
	}{
		"a directory called creating":          {[]string{"creating/mine"}, ErrNotStore, "(creating)"},
		"a file called creating.lock":          {[]string{"creating.lock", "mine"}, ErrNotStore, "(mine)"},
		"leftovers and another file":           {[]string{"creating.lock", "creating/x", "a"}, ErrNotStore, "(a)"},
		"another file and lost+found":          {[]string{"lost+found/x", "mine"}, ErrNotStore, "(mine)"},
		"a database without its witness":       {[]string{"creating.lock", "creating/x", "db/CURRENT"}, ErrBelowWitness, "witness is missing"},
		"a witness without a database":         {[]string{"creating.lock", "witness"}, ErrBelowWitness, "db is missing"},
		"a witness and a directory: creating":  {[]string{"creating/x", "witness"}, ErrBelowWitness, "db is missing"},
		"a store without its witness that ran": {[]string{"db/CURRENT", "node", "creating.lock"}, ErrBelowWitness, "witness is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			for _, file := range c.files {
				file = "store/" + file
				must(t, mem.MkdirAll(mem.PathDir(file), 0o755))
				content := []byte("mine")
				if strings.HasSuffix(file, "/creating.lock") && c.want != ErrNotStore {
					content = nil // as ours is
				}
				writeFile(t, mem, file, content)
			}
			before := mem.String()
			for _, readOnly := range []bool{true, false} {
				_, err := Open(Options{Dir: "store", FS: mem, Manual: true, ReadOnly: readOnly})
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
					t.Errorf("got %v\nwant %v with %q", err, c.want, c.text)
				}
				if after := mem.String(); after != before {
					t.Fatalf("it has changed\n%s\nto\n%s", before, after)
				}
			}
		})
	}
}
