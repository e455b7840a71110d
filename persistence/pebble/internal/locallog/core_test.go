package locallog

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/turnstone-dev/turnstone/persistence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDisk = errors.New("the disk is gone")

// fakeCore notes what the log asks of it, and fails where it is told to.
type fakeCore struct {
	mu    sync.Mutex
	steps []string
	// failAt is the step that fails; empty is none.
	failAt string
	// held, if it is not nil, lets one Sync on for each value.
	held    chan struct{}
	failed  chan struct{}
	batches int
}

func newFakeCore() *fakeCore { return &fakeCore{failed: make(chan struct{})} }

// step notes a step, and reports whether it works.
func (c *fakeCore) step(format string, args ...any) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	step := fmt.Sprintf(format, args...)
	c.steps = append(c.steps, step)
	if step == c.failAt {
		close(c.failed)
		return false
	}
	return true
}

// taken are the steps since the last call.
func (c *fakeCore) taken() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	steps := c.steps
	c.steps = nil
	return steps
}

// NewBatch implements [Core].
func (c *fakeCore) NewBatch() Batch { return &fakeBatch{c: c} }

// SyncAll implements [Core].
func (c *fakeCore) SyncAll() bool { return c.step("sync all") }

// Failed implements [Core].
func (c *fakeCore) Failed() <-chan struct{} { return c.failed }

// Failure implements [Core].
func (c *fakeCore) Failure() error { return errDisk }

// Sound implements [Core].
func (c *fakeCore) Sound() bool {
	select {
	case <-c.failed:
		return false
	default:
		return true
	}
}

// fakeBatch notes its steps under its number, which the first command gives it.
type fakeBatch struct {
	c       *fakeCore
	number  int
	entries []Entry
}

// Begin implements [Batch].
func (b *fakeBatch) Begin() { b.number, b.entries = 0, nil }

// Apply implements [Batch].
func (b *fakeBatch) Apply(entries []Entry) {
	if b.number == 0 {
		b.c.batches++
		b.number = b.c.batches
	}
	b.entries = append(b.entries, entries...)
}

// Commit implements [Batch].
func (b *fakeBatch) Commit() bool { return b.c.step("commit %d of %d", b.number, len(b.entries)) }

// Sync implements [Batch].
func (b *fakeBatch) Sync() bool {
	if b.c.held != nil {
		<-b.c.held
	}
	return b.c.step("sync %d", b.number)
}

// Release implements [Batch].
func (b *fakeBatch) Release() {
	b.c.step("release %d", b.number)
	for i := range b.entries {
		b.entries[i].Proposal.Done(persistence.Result{Index: uint64(b.number)})
	}
}

// Close implements [Batch].
func (b *fakeBatch) Close() bool { return b.number == 0 || b.c.step("close %d", b.number) }

// answers are how proposals have ended, in the order of their answers.
type answers struct {
	t   *testing.T
	mu  sync.Mutex
	got []string
	at  map[int]int
}

func newAnswers(t *testing.T) *answers { return &answers{t: t, at: map[int]int{}} }

// propose proposes a command of n bytes or so.
func (a *answers) propose(l *Log, number, n int) {
	l.Propose(0, persistence.Proposal{
		Command: &persistence.Enqueue{Message: make([]byte, n)},
		Done: func(r persistence.Result) {
			a.mu.Lock()
			defer a.mu.Unlock()
			if a.at[number]++; a.at[number] > 1 {
				a.t.Errorf("proposal %d is answered again: %+v", number, r)
			}
			a.got = append(a.got, fmt.Sprintf("%d %s", number, ending(r)))
		},
	})
}

// ending names how a proposal ended: the batch that it was in, or the error.
func ending(r persistence.Result) string {
	switch {
	case r.Err == nil:
		return fmt.Sprintf("in batch %d", r.Index)
	case errors.Is(r.Err, persistence.ErrBusy):
		return "busy"
	case errors.Is(r.Err, persistence.ErrUncertain):
		return "uncertain"
	case errors.Is(r.Err, persistence.ErrNotLeader) && errors.Is(r.Err, persistence.ErrStopped):
		return "stopped"
	}
	return r.Err.Error()
}

// taken are the answers since the last call.
func (a *answers) taken() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	got := a.got
	a.got = nil
	return got
}
