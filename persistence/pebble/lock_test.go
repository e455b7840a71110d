package pebble

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/internal/clock"
)

// TestOneStoreUnderTwoNames opens a store that this process has open already, by other names. The operating system's
// own lock would be given to the same process twice.
func TestOneStoreUnderTwoNames(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "real"), 0o755))
	must(t, os.Symlink("real", filepath.Join(dir, "link")))
	t.Chdir(dir)
	s, err := Open(Options{Dir: "real/store/", Manual: true})
	must(t, err)
	for _, name := range []string{"real/store", "./real/store//", "link/store", filepath.Join(dir, "link/../real/store")} {
		for _, readOnly := range []bool{false, true} {
			again, err := Open(Options{Dir: name, Manual: true, ReadOnly: readOnly})
			if err == nil {
				must(t, again.Close())
			}
			if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "in use by this process") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	must(t, s.Close())
	s, err = Open(Options{Dir: "link/store", Manual: true})
	must(t, err)
	must(t, s.Close())
	if names, err := os.ReadDir("real"); err != nil || len(names) != 1 {
		t.Errorf("beside the store: %v, %v", names, err)
	}
}

// foreignFS is a file system on which another process holds locks, until it has been asked this often.
type foreignFS struct {
	vfs.FS
	held, asked int
}

// Lock implements vfs.FS.
func (f *foreignFS) Lock(name string) (io.Closer, error) {
	if f.asked++; f.asked <= f.held {
		return nil, syscall.EAGAIN
	}
	return f.FS.Lock(name)
}

// Unwrap hides that the files are in memory, where no other process could lock them.
func (f *foreignFS) Unwrap() vfs.FS { return nil }

// pollClock calls back at once and counts, but only so often.
type pollClock struct {
	handClock
	waited time.Duration
	stuck  int // the pause that does not end, from 1; 0: none
	pauses int
	atEnd  func()
}

// AfterFunc implements clock.Clock.
func (c *pollClock) AfterFunc(d time.Duration, f func()) clock.Timer {
	c.pauses++
	c.waited += d
	if c.pauses == c.stuck {
		c.atEnd()
		return c.handClock.AfterFunc(d, f)
	}
	go f()
	return new(handTimer)
}

// TestOpenWaitsForAnotherProcess opens, creates and reads a store that another process holds for a while, or for good.
func TestOpenWaitsForAnotherProcess(t *testing.T) {
	canceled := func() { t.Error("the context does not end in this case") }
	for name, c := range map[string]struct {
		o              Options
		held, attempts int
		waited         time.Duration
		end            bool // the context ends in the third pause
		opened         bool
	}{
		"it ends at once":       {held: 1, attempts: 2, waited: 10 * time.Millisecond, opened: true},
		"it takes a second":     {held: 100, attempts: 101, waited: time.Second, opened: true},
		"reading waits, too":    {o: Options{ReadOnly: true}, held: 5, attempts: 6, waited: 50 * time.Millisecond, opened: true},
		"creating waits, too":   {o: Options{Dir: "new"}, held: 5, attempts: 7, waited: 50 * time.Millisecond, opened: true},
		"it goes on":            {held: 1 << 30, attempts: 201, waited: 2 * time.Second},
		"it goes on creating":   {o: Options{Dir: "new"}, held: 1 << 30, attempts: 201, waited: 2 * time.Second},
		"a shorter wait":        {o: Options{LockWait: 30 * time.Millisecond}, held: 1 << 30, attempts: 4, waited: 30 * time.Millisecond},
		"no wait":               {o: Options{LockWait: -1}, held: 1, attempts: 1},
		"the context ends":      {held: 1 << 30, attempts: 3, waited: 30 * time.Millisecond, end: true},
		"nobody holds the lock": {attempts: 1, opened: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := &foreignFS{FS: closedStore(t), held: c.held}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			pace := &pollClock{atEnd: canceled}
			if c.end {
				pace.stuck, pace.atEnd = 3, cancel
			}
			o := c.o
			o.FS, o.Manual, o.Clock = f, true, pace
			if o.Dir == "" {
				o.Dir = "store"
			}
			before := listing(t, f)
			s, err := OpenContext(ctx, o)
			if f.asked != c.attempts || pace.waited != c.waited {
				t.Errorf("%d attempts in %v, want %d in %v", f.asked, pace.waited, c.attempts, c.waited)
			}
			if c.opened {
				must(t, err)
				must(t, s.Close())
				return
			}
			if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), o.Dir+": in use by another process") ||
				errors.Is(err, context.Canceled) != c.end {
				t.Errorf("it ended with %v", err)
			}
			if after := listing(t, f); after != before {
				t.Errorf("the files have changed:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// TestAStoreOfThisProcessIsRefusedAtOnce on a real disk and in memory.
func TestAStoreOfThisProcessIsRefusedAtOnce(t *testing.T) {
	for _, o := range []Options{{Dir: filepath.Join(t.TempDir(), "store")}, {Dir: "store", FS: vfs.NewMem()}} {
		o.Manual = true
		s, err := Open(o)
		must(t, err)
		o.Clock = &pollClock{stuck: 1, atEnd: func() { t.Error("it waits") }}
		if _, err := Open(o); !errors.Is(err, ErrInUse) || errors.Is(err, errOtherProcess) {
			t.Errorf("it ended with %v", err)
		}
		must(t, s.Close())
	}
}

// TestOpenWhileTheLastProcessEnds opens a store of a real process that ends only when this one waits for its lock.
func TestOpenWhileTheLastProcessEnds(t *testing.T) {
	var batch creatorBatch
	if isChild(t, &batch) {
		creatorChild(batch)
	}
	dir := t.TempDir()
	child := startCreator(t, dir)
	child.say("store")
	if a := child.answer(); a.ID == "" {
		t.Fatal(a.Error)
	}
	o := Options{Dir: filepath.Join(dir, "store"), LockWait: -1}
	if _, err := Open(o); !errors.Is(err, errOtherProcess) {
		t.Fatalf("a store of another process: %v", err)
	}
	if _, err := Verify(o); !errors.Is(err, errOtherProcess) {
		t.Fatalf("a store of another process, to verify: %v", err)
	}
	o.LockWait = time.Minute
	o.Clock = &killClock{kill: func() { must(t, child.cmd.Process.Kill()) }}
	s, err := Open(o)
	must(t, err)
	must(t, s.Close())
	if !o.Clock.(*killClock).killed {
		t.Error("the lock was free before the process was killed")
	}
	_ = child.cmd.Wait() // it was killed
	if rep, err := Verify(o); err != nil || len(rep.Damages) > 0 || rep.Rows["start"] != 1 {
		t.Errorf("%v, %+v", err, rep)
	}
}

// killClock is the real clock, and kills at the first pause.
type killClock struct {
	kill   func()
	killed bool
}

// Now implements clock.Clock.
func (c *killClock) Now() time.Time { return clock.Real.Now() }

// Elapsed implements clock.Clock.
func (c *killClock) Elapsed() time.Duration { return clock.Real.Elapsed() }

// AfterFunc implements clock.Clock.
func (c *killClock) AfterFunc(d time.Duration, f func()) clock.Timer {
	if !c.killed {
		c.killed = true
		c.kill()
	}
	return clock.Real.AfterFunc(d, f)
}
