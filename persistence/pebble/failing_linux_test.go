package pebble

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestF23_a_full_disk_fails_the_store_and_not_the_process fills a volume of 24 MiB. The store fails and names the file; on
// a larger volume it opens again with everything that was acknowledged. Where nothing can be mounted, the file system
// refuses to write after as many bytes.
func TestF23_a_full_disk_fails_the_store_and_not_the_process(t *testing.T) {
	const test = "TestF23_a_full_disk_fails_the_store_and_not_the_process"
	if dir := os.Getenv(mountVar); dir != "" && os.Getenv(childVar) == "" {
		mountVolume(dir, "size=24m")
		fillAndReopen(t, test, dir, "the volume is full", func() error {
			return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=100m")
		})
		return
	}
	var batch failing
	if isChild(t, &batch) {
		var r fullReport
		fillStore(&r, batch)
		report(r)
	}
	dir := filepath.Join(realName(vfs.Default, t.TempDir()), "volume")
	must(t, os.Mkdir(dir, 0o755))
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.timeout=4m")
	cmd.Env = append(os.Environ(), mountVar+"="+dir)
	withOwnMounts(cmd)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == noMount, err != nil && !errors.As(err, &exit):
		t.Logf("a volume cannot be mounted here (%v, %s)", err, strings.TrimSpace(string(out)))
		fillAndReopen(t, test, dir, "writes fail", func() error { return nil })
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	}
}

// fullReport is what the child has seen that filled the volume.
type fullReport struct {
	failingReport
	Acknowledged int
}

func fillAndReopen(t *testing.T, test, dir, how string, enlarge func() error) {
	t.Helper()
	store := filepath.Join(dir, "store")
	var r fullReport
	runChildOf(t, test, failing{store, how}, &r)
	for _, problem := range r.Problems {
		t.Error(problem)
	}
	must(t, enlarge())
	rep, err := Verify(Options{Dir: store})
	if err != nil || len(rep.Damages) > 0 || rep.Rows["start"] < uint64(r.Acknowledged) || r.Acknowledged == 0 {
		t.Fatalf("%d starts were acknowledged; verify: %v, %+v", r.Acknowledged, err, rep)
	}
	s, err := Open(Options{Dir: store})
	must(t, err)
	must(t, s.Close())
}

func fillStore(r *fullReport, b failing) {
	var left atomic.Int64
	left.Store(400) // writes of a log; each proposal is awaited, so it has one
	o := Options{Dir: b.Dir, Partitions: 1}
	if b.Case == "writes fail" {
		o.FS = failWhen(func(op, path string) error {
			if op == "write" && isLog(path) && left.Add(-1) < 0 {
				return &fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
			}
			return nil
		})
	}
	s, err := Open(o)
	r.check(err == nil, "open: %v", err)
	for err == nil && r.Acknowledged < 10_000 {
		res := await(s, 0, persistence.Proposal{Command: &persistence.StartInstance{
			ID: fmt.Sprint(r.Acknowledged), Name: "o", Input: make([]byte, 64<<10),
		}})
		if err = res.Err; err == nil {
			r.Acknowledged++
		}
	}
	r.check(errors.Is(err, persistence.ErrUncertain) || errors.Is(err, persistence.ErrStopped), "what did not fit: %v", err)
	<-s.Stopped()
	var f *Failure
	cause := s.Cause()
	r.check(errors.As(cause, &f) && f.Op != "" && strings.HasPrefix(f.Path, b.Dir), "Cause: %v", cause)
	r.check(errors.Is(cause, syscall.ENOSPC) && errors.Is(err, syscall.ENOSPC), "Cause: %v; answer: %v", cause, err)
	r.check(errors.Is(s.Close(), syscall.ENOSPC), "Close: %v", s.Close())
}

// TestF23_a_witness_without_descriptors_is_tried_again runs a child out of file descriptors. Its store warns that the
// witness is not renewed, takes commits, and renews it when there are descriptors again.
func TestF23_a_witness_without_descriptors_is_tried_again(t *testing.T) {
	var batch failing
	if isChild(t, &batch) {
		var r failingReport
		withoutDescriptors(&r, batch.Dir)
		report(r)
	}
	dir := filepath.Join(t.TempDir(), "store")
	var r failingReport
	runChild(t, failing{Dir: dir}, &r)
	for _, problem := range r.Problems {
		t.Error(problem)
	}
	if rep, err := Verify(Options{Dir: dir}); err != nil || len(rep.Damages) > 0 || rep.Rows["start"] != 20 {
		t.Errorf("the store afterwards: %v, %+v", err, rep)
	}
}

func withoutDescriptors(r *failingReport, dir string) {
	var warned atomic.Int64
	clock := &handClock{}
	s, err := Open(Options{Dir: dir, Partitions: 1, Clock: clock, Log: func(format string, args ...any) {
		if line := fmt.Sprintf(format, args...); strings.Contains(line, "the witness of the store cannot be renewed") &&
			strings.Contains(line, "too many open files") {
			warned.Add(1)
		}
	}})
	r.check(err == nil, "open: %v", err)
	start := func(from int) {
		for i := range 10 {
			res := await(s, 0, persistence.Proposal{Command: &persistence.StartInstance{ID: fmt.Sprint(from + i), Name: "o"}})
			r.check(res.Err == nil, "start: %v", res.Err)
		}
	}
	witnessed := func() uint64 {
		w, err := readWitness(vfs.Default, dir)
		r.check(err == nil, "the witness: %v", err)
		return w.durable[0]
	}
	start(0)
	clock.fire()
	r.check(witnessed() == 10, "the witness says %d", witnessed())
	limit := syscall.Rlimit{Cur: 64, Max: 4096}
	r.check(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) == nil, "no limit can be set")
	var taken []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			r.check(errors.Is(err, syscall.EMFILE), "descriptors: %v", err)
			break
		}
		taken = append(taken, f)
	}
	start(10)
	clock.fire()
	clock.fire()
	r.check(warned.Load() == 2, "%d warnings", warned.Load())
	for _, f := range taken {
		r.check(f.Close() == nil, "close")
	}
	r.check(witnessed() == 10, "the witness says %d", witnessed())
	clock.fire()
	r.check(witnessed() == 20, "the witness says %d", witnessed())
	r.check(s.Close() == nil, "close: %v", s.Close())
}

// TestF23_the_lock_of_a_failed_store_outlives_it lets go of a lock that was not given up, as an open does that fails. The
// file of the lock stays open: the lock would end with it.
func TestF23_the_lock_of_a_failed_store_outlives_it(t *testing.T) {
	dir := realName(vfs.Default, t.TempDir())
	l := newLatch(&Options{})
	if _, err := lockDir(vfs.Default, dir, l); err != nil {
		t.Fatal(err)
	}
	l.trip("write", "a log", syscall.EIO)
	for range 10 {
		runtime.GC()
		if !hasOpen(filepath.Join(dir, "LOCK")) {
			t.Fatal("the file of the lock is closed")
		}
	}
	if err := failureOf(dir); !errors.Is(err, syscall.EIO) {
		t.Errorf("the directory is locked by a store that failed with %v", err)
	}
	held.Lock()
	var lock *storeLock
	for l := range held.locks {
		if l.name == dir {
			lock = l
		}
	}
	held.Unlock()
	must(t, lock.Close())
	if hasOpen(filepath.Join(dir, "LOCK")) {
		t.Error("the file of a lock that was given up is open")
	}
}

// hasOpen says whether this process has a descriptor of a file.
func hasOpen(path string) bool {
	const own = "/proc/self/fd"
	entries, _ := os.ReadDir(own)
	for _, e := range entries {
		if of, err := os.Readlink(filepath.Join(own, e.Name())); err == nil && of == path {
			return true
		}
	}
	return false
}
