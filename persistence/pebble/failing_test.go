package pebble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
)

// failing is what a child does: it fails a store's disk, and goes on. Dir has a store.
type failing struct{ Dir, Case string }

// failingReport is what the child has seen that is wrong.
type failingReport struct{ Problems []string }

func (r *failingReport) check(ok bool, format string, args ...any) {
	if !ok {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// named reports whether an error is that of a failed store and names operation, path and cause.
func (r *failingReport) named(what string, err error, op, path string, cause error) {
	var f *Failure
	r.check(errors.As(err, &f) && f.Op == op && strings.Contains(f.Path, path) && errors.Is(err, cause) &&
		strings.Contains(err.Error(), f.Path), "%s: %v; want %s %s: %v", what, err, op, path, cause)
}

// TestF23_a_failed_disk_fails_the_store_and_not_the_process fails a store while it runs, opens and closes, each in a child
// that lives on: every call answers and says what failed where, and the directory stays locked until the child ends.
func TestF23_a_failed_disk_fails_the_store_and_not_the_process(t *testing.T) {
	var batch failing
	if isChild(t, &batch) {
		var r failingReport
		map[string]func(*failingReport, string){
			"running": failRunning, "opening": failOpening, "closing": failClosing, "every step of opening": failEachStep,
		}[batch.Case](&r, batch.Dir)
		report(r)
	}
	for _, name := range []string{"running", "opening", "closing", "every step of opening"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			useStore(t, Options{Dir: dir})
			var r failingReport
			runChildOf(t, "TestF23_a_failed_disk_fails_the_store_and_not_the_process", failing{dir, name}, &r)
			for _, problem := range r.Problems {
				t.Error(problem)
			}
			if rep, err := Verify(Options{Dir: dir}); err != nil || len(rep.Damages) > 0 {
				t.Errorf("the store afterwards: %v, %v", err, rep.Damages)
			}
		})
	}
}

// failWhen is the machine's file system, on which an operation fails when the hook says so.
func failWhen(when func(op, path string) error) *opFS { return &opFS{FS: vfs.Default, hook: when} }

func failRunning(r *failingReport, dir string) {
	var armed atomic.Bool
	told := make(chan string, 1)
	s, err := Open(Options{
		Dir: dir, OnFatal: func(op, path string, err error) { told <- op + " " + path },
		FS: failWhen(func(op, path string) error {
			if armed.Load() && op == "sync" && isLog(path) {
				return syscall.EIO
			}
			return nil
		}),
	})
	r.check(err == nil, "open: %v", err)
	armed.Store(true)
	res := await(s, 0, persistence.Proposal{Command: &persistence.StartInstance{ID: "i", Name: "o"}})
	r.named("what was proposed", res.Err, "sync", dir+"/db/", syscall.EIO)
	r.check(errors.Is(res.Err, persistence.ErrUncertain), "what was proposed: %v", res.Err)
	r.check(strings.HasPrefix(<-told, "sync "+dir+"/db/"), "OnFatal was not told what failed")
	<-s.Stopped()
	r.named("Cause", s.Cause(), "sync", dir+"/db/", syscall.EIO)
	res = await(s, 0, persistence.Proposal{Command: &persistence.StartInstance{ID: "j", Name: "o"}})
	r.named("what is proposed later", res.Err, "sync", dir+"/db/", syscall.EIO)
	r.check(errors.Is(res.Err, persistence.ErrStopped), "what is proposed later: %v", res.Err)
	read := make(chan error, 1)
	s.View(0, func(persistence.Reader) error { return nil }, func(err error) { read <- err })
	r.named("what is read later", <-read, "sync", dir+"/db/", syscall.EIO)
	r.named("Close", s.Close(), "sync", dir+"/db/", syscall.EIO)
	refusedAgain(r, dir, "sync", dir+"/db/", syscall.EIO)
}

// refusedAgain opens a store again that has failed in this process, with a disk that works, and by another name.
func refusedAgain(r *failingReport, dir, op, path string, cause error) {
	r.check(os.Symlink(dir, dir+".link") == nil, "no link")
	for _, name := range []string{dir, dir + ".link"} {
		_, err := Open(Options{Dir: name})
		r.named("a second open of "+name, err, op, path, cause)
		r.check(errors.Is(err, ErrFailed), "a second open of %s: %v", name, err)
	}
	_, err := Verify(Options{Dir: dir})
	r.named("verify", err, op, path, cause)
}

func failOpening(r *failingReport, dir string) {
	_, err := Open(Options{Dir: dir, FS: failWhen(func(op, path string) error {
		if op == "write" && isManifest(filepath.Base(path)) {
			return &fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
		}
		return nil
	})})
	r.named("open", err, "write", "MANIFEST", syscall.ENOSPC)
	r.check(errors.Is(err, ErrFailed), "open: %v", err)
	refusedAgain(r, dir, "write", "MANIFEST", syscall.ENOSPC)
}

func failClosing(r *failingReport, dir string) {
	var armed atomic.Bool
	s, err := Open(Options{Dir: dir, FS: failWhen(func(op, path string) error {
		if armed.Load() && op == "create" && strings.HasSuffix(path, ".sst") {
			return &fs.PathError{Op: "create", Path: path, Err: syscall.EMFILE}
		}
		return nil
	})})
	r.check(err == nil, "open: %v", err)
	res := await(s, 0, persistence.Proposal{Command: &persistence.StartInstance{ID: "i", Name: "o"}})
	r.check(res.Err == nil, "before the failure: %v", res.Err)
	armed.Store(true)
	err = s.Close()
	r.named("Close", err, "create", ".sst", syscall.EMFILE)
	r.named("Cause", s.Cause(), "create", ".sst", syscall.EMFILE)
	refusedAgain(r, dir, "create", ".sst", syscall.EMFILE)
}

// TestF23_a_failed_store_asks_the_database_nothing takes the database away from a store that has failed.
func TestF23_a_failed_store_asks_the_database_nothing(t *testing.T) {
	s, err := Open(Options{Dir: "store", FS: vfs.NewMem(), Partitions: 1, Manual: true})
	must(t, err)
	db := s.core.db
	s.core.latch.trip("write", "store/db/1.log", syscall.EIO)
	s.core.db = nil
	if !s.MayExist("a") {
		t.Error("it claims to know")
	}
	_, err = s.core.read(0, func(persistence.Reader) error { t.Error("it reads"); return nil })
	for what, err := range map[string]error{
		"a read": err, "a backup": s.Backup(context.Background(), "backup"), "close": s.Close(),
	} {
		var f *Failure
		if !errors.Is(err, ErrFailed) || !errors.As(err, &f) || f.Path != "store/db/1.log" {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.core.db = db
	s.core.latch.simulated.Store(true)
	must(t, s.Drop())
}

// failEachStep fails each operation of an open in turn, in a store of its own.
func failEachStep(r *failingReport, dir string) {
	for at := 0; ; at++ {
		each := fmt.Sprintf("%s.%d", dir, at)
		r.check(os.CopyFS(each, os.DirFS(dir)) == nil, "no copy of the store")
		n := 0
		var mu sync.Mutex
		var op, path string
		s, err := Open(Options{Dir: each, FS: failWhen(func(o, p string) error {
			mu.Lock()
			defer mu.Unlock()
			if n++; n-1 != at {
				return nil
			}
			op, path = o, p
			return syscall.EIO
		})})
		mu.Lock()
		done := op == ""
		n = at + 1 // what comes after the open does not fail
		where := fmt.Sprintf("step %d, %s %s", at, op, path)
		mu.Unlock()
		if done {
			r.check(err == nil, "no step fails: %v", err)
			r.check(s.Close() == nil, "no step fails, and it is not closed")
			return
		}
		r.check(err == nil || errors.Is(err, syscall.EIO), "%s: %v", where, err)
		if err == nil {
			<-s.Stopped() // it fails in the background
			r.check(errors.Is(s.Close(), syscall.EIO), "%s: it has stopped: %v", where, s.Cause())
		}
	}
}

// readFailFS fails or damages what is read of tables, once it is armed.
type readFailFS struct {
	vfs.FS
	armed *atomic.Bool
	fail  error // nil: what is read is damaged
}

// Unwrap implements vfs.FS.
func (f readFailFS) Unwrap() vfs.FS { return f.FS }

// Open implements vfs.FS.
func (f readFailFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.Open(name, opts...)
	if err == nil && strings.HasSuffix(name, ".sst") {
		file = readFailFile{file, f}
	}
	return file, err
}

type readFailFile struct {
	vfs.File
	fs readFailFS
}

// ReadAt implements vfs.File.
func (f readFailFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if f.fs.armed.Load() && err == nil {
		if err = f.fs.fail; err == nil {
			p[n/2] ^= 0x10
		}
	}
	return n, err
}

// TestF22_a_read_that_fails_in_a_compaction_stops_the_store lets a compaction read what the disk no longer has. Nothing
// that is proposed after that is acknowledged, and the store names the file.
func TestF22_a_read_that_fails_in_a_compaction_stops_the_store(t *testing.T) {
	var batch failing
	if isChild(t, &batch) {
		var r failingReport
		failCompaction(&r, map[string]error{"read error": syscall.EIO, "damage": nil}[batch.Case])
		report(r)
	}
	for _, name := range []string{"read error", "damage"} {
		t.Run(name, func(t *testing.T) {
			var r failingReport
			runChildOf(t, "TestF22_a_read_that_fails_in_a_compaction_stops_the_store", failing{Case: name}, &r)
			for _, problem := range r.Problems {
				t.Error(problem)
			}
		})
	}
}

func failCompaction(r *failingReport, fail error) {
	var armed, fatal atomic.Bool
	s, err := Open(Options{
		Dir: "store", Partitions: 1, FS: readFailFS{vfs.NewMem(), &armed, fail},
		OnFatal: func(string, string, error) { fatal.Store(true) },
		Tuning: Tuning{Pebble: func(p *pdb.Options) {
			p.MemTableSize, p.L0CompactionThreshold, p.L0CompactionFileThreshold, p.CacheSize = 64<<10, 2, 2, 1
		}},
	})
	if err != nil {
		r.check(false, "open: %v", err)
		return
	}
	late, acknowledged := 0, 0
	for i := range 100_000 {
		if i == 200 {
			armed.Store(true)
		}
		stopped := fatal.Load()
		res := await(s, 0, persistence.Proposal{Command: &persistence.StartInstance{
			ID: fmt.Sprint(i * 7919 % 100_000), Name: "o", Input: make([]byte, 1000),
		}})
		if res.Err == nil {
			acknowledged++
			if stopped {
				late++
			}
			continue
		}
		break
	}
	r.check(acknowledged < 100_000, "the store did not stop")
	r.check(late == 0, "%d proposals were acknowledged after the failure", late)
	if acknowledged < 100_000 {
		<-s.Stopped()
		var f *Failure
		cause := s.Cause()
		r.check(errors.As(cause, &f) && f.Op == "read" && strings.HasSuffix(f.Path, ".sst"), "Cause: %v", cause)
		r.check(fail == nil || errors.Is(cause, fail), "Cause: %v", cause)
	}
}
