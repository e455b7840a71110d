package pebble

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// diary records what is done to files, reads included, in order.
type diary struct {
	opFS
	mu  sync.Mutex
	did []string
}

func newDiary(f vfs.FS) *diary {
	d := &diary{}
	d.opFS = opFS{FS: f, hook: func(op, path string) error {
		d.note(op, path)
		return nil
	}}
	return d
}

func (d *diary) note(op, path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.did = append(d.did, op+" "+path)
}

// Open implements vfs.FS.
func (d *diary) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	d.note("read", name)
	return d.opFS.Open(name, opts...)
}

// entries are those so far.
func (d *diary) entries() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.did)
}

const takesLock = "lock store/db/LOCK"

// TestTheLockComesFirst opens a store for writing and for reading: until its lock is held nothing of it is read or
// written, since another process may be at it, and what it reads would be old when it opens the rest.
func TestTheLockComesFirst(t *testing.T) {
	for _, readOnly := range []bool{false, true} {
		d := newDiary(closedStore(t))
		s, err := Open(Options{Dir: "store", FS: d, Manual: true, ReadOnly: readOnly})
		must(t, err)
		did := d.entries()
		must(t, s.Close())
		if did[0] != takesLock {
			t.Errorf("the first is %q", did[0])
		}
		if !slices.Contains(did, "read store/witness") {
			t.Errorf("the witness was not read: %q", did)
		}
		if probes := slices.Contains(did, "create store/probe"); probes == readOnly {
			t.Errorf("reading only: %v, and it tries to write: %v", readOnly, probes)
		}
	}
}

// TestARefusedOpenOfAStoreInUseTouchesNothing asks for a store that is in use, by this process and by another one, also
// with something half done lying about: only its lock is asked for.
func TestARefusedOpenOfAStoreInUseTouchesNothing(t *testing.T) {
	for _, readOnly := range []bool{false, true} {
		for _, elsewhere := range []bool{false, true} {
			mem := closedStore(t)
			held, err := mem.Lock("store/db/LOCK") // a real holder would go on cleaning up
			must(t, err)
			for _, name := range []string{"store/probe", "store/db/probe", "store/witness.new", "store.creating.lock"} {
				writeFile(t, mem, name, []byte("not yours"))
			}
			before := contents(t, mem, "")
			var f vfs.FS = mem
			if elsewhere {
				f = &foreignFS{FS: mem, held: 1 << 30}
			}
			d := newDiary(f)
			_, err = Open(Options{Dir: "store", FS: d, Manual: true, ReadOnly: readOnly, LockWait: -1})
			if !errors.Is(err, ErrInUse) || errors.Is(err, errOtherProcess) != elsewhere {
				t.Errorf("it ended with %v", err)
			}
			if did := d.entries(); len(did) != 1 || did[0] != takesLock {
				t.Errorf("what it did: %q", did)
			}
			if after := contents(t, mem, ""); !slices.Equal(after, before) {
				t.Errorf("the files have changed:\n%q\nbefore:\n%q", after, before)
			}
			must(t, held.Close())
		}
	}
}

// contents is every file below a directory with a sum of what it holds.
func contents(t *testing.T, f *vfs.MemFS, dir string) (all []string) {
	t.Helper()
	names, err := f.List(dir)
	must(t, err)
	slices.Sort(names)
	for _, name := range names {
		name = f.PathJoin(dir, name)
		info, err := f.Stat(name)
		must(t, err)
		if info.IsDir() {
			all = append(all, contents(t, f, name)...)
		} else {
			all = append(all, fmt.Sprintf("%s %x", name, sha256.Sum256(readFile(t, f, name))))
		}
	}
	return all
}
