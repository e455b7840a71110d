package pebble

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

// closedStore is a closed store with content, on a memory file system.
func closedStore(t *testing.T) *vfs.MemFS {
	t.Helper()
	closed, _ := storeImages(t)
	return closed
}

// killedStore is a store that was not closed: what it has is in its log.
func killedStore(t *testing.T) *vfs.MemFS {
	t.Helper()
	_, killed := storeImages(t)
	return killed
}

func storeImages(t *testing.T) (closed, killed *vfs.MemFS) {
	t.Helper()
	fs := vfs.NewCrashableMem()
	s, err := Open(Options{Dir: "store", FS: fs, Partitions: 2, Manual: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		id := fmt.Sprint("instance ", i)
		s.Propose(s.PartitionOf(id), persistence.Proposal{TimeMs: 1, Command: &persistence.StartInstance{ID: id, Name: "o"},
			Done: func(r persistence.Result) {
				if r.Err != nil {
					t.Error(r.Err)
				}
			}})
		s.Step(StepApply)
		s.Step(StepSync)
	}
	s.Step(StepWitness)
	killed = fs.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return fs, killed
}

func readFile(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t *testing.T, fs vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// newestLog is the log that holds the last commands.
func newestLog(t *testing.T, fs vfs.FS) string {
	t.Helper()
	names, err := fs.List("store/db")
	if err != nil {
		t.Fatal(err)
	}
	newest := ""
	for _, name := range names {
		if isLog(name) && name > newest {
			newest = name
		}
	}
	if newest == "" {
		t.Fatal("there is no log")
	}
	return "store/db/" + newest
}

// listing is every file with its size.
func listing(t *testing.T, fs vfs.FS) string {
	t.Helper()
	var b strings.Builder
	for _, dir := range []string{"store", "store/db"} {
		names, err := fs.List(dir)
		if err != nil {
			return err.Error()
		}
		slices.Sort(names)
		for _, name := range names {
			if info, err := fs.Stat(dir + "/" + name); err == nil && !info.IsDir() && name != "LOCK" {
				fmt.Fprintf(&b, "%s/%s %d\n", dir, name, info.Size())
			}
		}
	}
	return b.String()
}

// TestDamagedStoreIsRefused damages a store in ways that Pebble itself opens without an error, and in others. Each is
// refused with a sentence, and nothing is deleted.
func TestDamagedStoreIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(t *testing.T, fs *vfs.MemFS)
		want   error
		text   string
	}{
		"log deleted": {func(t *testing.T, fs *vfs.MemFS) { remove(t, fs, newestLog(t, fs)) }, ErrBelowWitness, "is missing"},
		"log cut": {func(t *testing.T, fs *vfs.MemFS) {
			b := readFile(t, fs, newestLog(t, fs))
			writeFile(t, fs, newestLog(t, fs), b[:len(b)/2])
		}, ErrBelowWitness, "were synced"},
		"log zeroed": {func(t *testing.T, fs *vfs.MemFS) {
			writeFile(t, fs, newestLog(t, fs), make([]byte, len(readFile(t, fs, newestLog(t, fs)))))
		}, ErrBelowWitness, "was durable"},
		"witness deleted": {func(t *testing.T, fs *vfs.MemFS) { remove(t, fs, "store/witness") }, ErrBelowWitness, "store/witness is missing"},
		"witness flipped": {func(t *testing.T, fs *vfs.MemFS) {
			b := readFile(t, fs, "store/witness")
			b[len(b)/2] ^= 4
			writeFile(t, fs, "store/witness", b)
		}, ErrBelowWitness, "checksum"},
		"witness of another store": {func(t *testing.T, fs *vfs.MemFS) {
			other := closedStore(t)
			w, err := decodeWitness(readFile(t, other, "store/witness"))
			if err != nil {
				t.Fatal(err)
			}
			w.logs = nil
			writeFile(t, fs, "store/witness", w.encode())
		}, ErrBelowWitness, "the witness that of store"},
		"witness ahead": {func(t *testing.T, fs *vfs.MemFS) {
			w, err := decodeWitness(readFile(t, fs, "store/witness"))
			if err != nil {
				t.Fatal(err)
			}
			w.durable[1]++
			writeFile(t, fs, "store/witness", w.encode())
		}, ErrBelowWitness, "partition 1 ends at index"},
		"database deleted": {func(t *testing.T, fs *vfs.MemFS) {
			if err := fs.RemoveAll("store/db"); err != nil {
				t.Fatal(err)
			}
		}, ErrBelowWitness, "store/db is missing"},
		"database emptied": {func(t *testing.T, fs *vfs.MemFS) {
			if err := errors.Join(fs.RemoveAll("store/db"), fs.MkdirAll("store/db", 0o755)); err != nil {
				t.Fatal(err)
			}
		}, ErrBelowWitness, "log"},
		"foreign directory": {func(t *testing.T, fs *vfs.MemFS) {
			if err := errors.Join(fs.RemoveAll("store"), fs.MkdirAll("store", 0o755)); err != nil {
				t.Fatal(err)
			}
			writeFile(t, fs, "store/000004.log", []byte("mine"))
		}, ErrNotStore, "000004.log"},
		"other format": {func(t *testing.T, fs *vfs.MemFS) { setFormat(t, fs, "0.7") }, ErrFormat, "format 0.7, and this program reads 0.2"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := killedStore(t)
			c.damage(t, fs)
			before := listing(t, fs)
			s, err := Open(Options{Dir: "store", FS: fs, Manual: true})
			if err == nil {
				_ = s.Close()
				t.Fatal("it was opened")
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("got %v\nwant %v with %q", err, c.want, c.text)
			}
			if after := listing(t, fs); after != before {
				t.Fatalf("the refused open changed the files:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

func remove(t *testing.T, fs vfs.FS, name string) {
	t.Helper()
	if err := fs.Remove(name); err != nil {
		t.Fatal(err)
	}
}

// setFormat rewrites the store row as a version of another format would have.
func setFormat(t *testing.T, fs vfs.FS, format string) {
	t.Helper()
	withDB(t, fs, func(db *pdb.DB) {
		var e rowcode.Enc
		e.S(format)
		e.S("whatever another format holds")
		if err := db.Set(storeKey, e, pdb.Sync); err != nil {
			t.Fatal(err)
		}
	})
}

// withDB changes the rows of a closed store behind its back.
func withDB(t *testing.T, fs vfs.FS, change func(db *pdb.DB)) {
	t.Helper()
	o, err := Options{Dir: "store", FS: fs, Manual: true}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	db, err := pdb.Open("store/db", pebbleOptions(&o, fs, newLatch(&o)))
	if err != nil {
		t.Fatal(err)
	}
	change(db)
	if err := errors.Join(db.Flush(), db.Close()); err != nil {
		t.Fatal(err)
	}
	// Opening has replaced the logs that the witness names; what it says of indexes stays.
	w, err := decodeWitness(readFile(t, fs, "store/witness"))
	if err != nil {
		t.Fatal(err)
	}
	w.logs = nil
	writeFile(t, fs, "store/witness", w.encode())
}

func TestReadOnlyOpenWritesNothing(t *testing.T) {
	fs := closedStore(t)
	before := listing(t, fs)
	s, err := Open(Options{Dir: "store", FS: fs, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	r := await(s, 0, persistence.Proposal{Command: persistence.EndEpoch{}})
	if !errors.Is(r.Err, persistence.ErrNotLeader) {
		t.Fatal(r.Err)
	}
	var pending uint64
	for p := range 2 {
		done := make(chan error, 1)
		s.View(persistence.Partition(p), func(rd persistence.Reader) error {
			state, err := rd.Partition()
			pending += state.Pending
			return err
		}, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if after := listing(t, fs); after != before || pending != 40 {
		t.Fatalf("%d pending; after:\n%s\nbefore:\n%s", pending, after, before)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	for _, o := range []Options{{}, {Dir: "x", Partitions: -1}, {Dir: "x", Partitions: persistence.PartitionsMax + 1}} {
		o.FS = vfs.NewMem()
		if _, err := Open(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// readOnlyFS refuses to create anything, as a directory without write permission does.
type readOnlyFS struct{ vfs.FS }

func (readOnlyFS) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}

func (readOnlyFS) MkdirAll(dir string, _ fs.FileMode) error {
	return &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrPermission}
}

// TestUnwritableDirectoryIsRefused opens and creates where nothing can be written. Pebble itself would hang.
func TestUnwritableDirectoryIsRefused(t *testing.T) {
	mem := closedStore(t)
	for _, dir := range []string{"store", "new/store"} {
		_, err := Open(Options{Dir: dir, FS: readOnlyFS{mem}, Manual: true})
		if !errors.Is(err, ErrNotWritable) || !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	s, err := Open(Options{Dir: "store", FS: readOnlyFS{mem}, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTheNameOfTheCodec: the first open that names a codec records it, also in a store that was made without. Another name is
// refused, and nothing is changed; an empty one and reading are not.
func TestTheNameOfTheCodec(t *testing.T) {
	for _, made := range []string{"", "a"} {
		fs := vfs.NewMem()
		use := func(codec string, readOnly bool) (string, error) {
			s, err := Open(Options{Dir: "store", FS: fs, Partitions: 1, Codec: codec, ReadOnly: readOnly})
			if err != nil {
				return "", err
			}
			return s.Info().Codec, s.Close()
		}
		for _, c := range []struct {
			codec    string
			readOnly bool
			has      string
			refused  bool
		}{
			{codec: made, has: made}, {codec: "b", readOnly: true, has: made}, {codec: "a", has: "a"}, {codec: "b", refused: true},
			{codec: "", has: "a"}, {codec: "b", readOnly: true, has: "a"}, {codec: "a", has: "a"},
		} {
			has, err := use(c.codec, c.readOnly)
			if errors.Is(err, ErrCodec) != c.refused || err != nil && !c.refused || has != c.has {
				t.Errorf("made with %q: %+v gives %q, %v", made, c, has, err)
			}
		}
	}
}
