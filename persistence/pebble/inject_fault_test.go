package pebble

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/persistencetest"
)

var faultWorkloads = flag.Int("faults", 3, "workloads of which every operation is failed")

// faultBatch is what a child is to do: fail each of these operations in a run of its own.
type faultBatch struct {
	Seed  uint64
	Error string
	From  int
	Step  int
	Cases int
}

// faultReport is what a child has seen.
type faultReport struct {
	Cases    int
	Finished bool           // an operation was not reached any more: the workload has no more
	Ops      map[string]int // by operation and kind of file
	Refused  int            // Open gave the error back
	Stopped  int            // the latch stopped the store
	Failures []string
}

var faultErrors = map[string]error{"input/output error": syscall.EIO, "no space": syscall.ENOSPC}

// TestFaults fails every write-side operation of a workload once, with an error of the disk and with a full disk. The
// store must stop and name operation and path, or its opening must fail so; nothing is acknowledged that the disk does
// not hold; every call is answered; and what is left opens with all that was acknowledged.
func TestFaults(t *testing.T) {
	var batch faultBatch
	if isChild(t, &batch) {
		report(faultChild(batch))
	}
	step, workloads := 1, *faultWorkloads
	if testing.Short() {
		step, workloads = 12, 1
	}
	if underRace {
		step, workloads = 24, 1
		if testing.Short() {
			step = 48
		}
	}
	total := faultReport{Ops: map[string]int{}}
	began := time.Now()
	for seed := range uint64(workloads) {
		for name := range faultErrors {
			batch := faultBatch{Seed: 3 + seed, Error: name, Step: step, Cases: 150}
			for r := (faultReport{}); !r.Finished && !t.Failed(); batch.From += batch.Step * batch.Cases {
				runChild(t, batch, &r)
				total.add(r)
				for _, f := range r.Failures {
					t.Errorf("workload %d: %s", batch.Seed, f)
				}
			}
		}
	}
	t.Logf("%d faults in %v: %d stopped the store, %d were given back by Open", total.Cases,
		time.Since(began).Round(time.Millisecond), total.Stopped, total.Refused)
	t.Logf("%v", total.Ops)
	if step > 1 {
		return
	}
	for _, op := range []string{
		"create log", "write log", "sync log", "close log", "remove log", "create sst", "write sst", "sync sst", "close sst",
		"create MANIFEST", "write MANIFEST", "sync MANIFEST", "sync directory", "create witness", "write witness",
		"sync witness", "rename witness", "create marker", "rename marker", "remove sst", "lock", "create directory",
	} {
		if total.Ops[op] == 0 {
			t.Errorf("no fault was injected at: %s", op)
		}
	}
}

func (r *faultReport) add(o faultReport) {
	r.Cases += o.Cases
	r.Refused += o.Refused
	r.Stopped += o.Stopped
	for op, n := range o.Ops {
		r.Ops[op] += n
	}
}

func faultChild(b faultBatch) faultReport {
	trace := persistencetest.Generate(b.Seed, 2, 110, 8)
	r := faultReport{Ops: map[string]int{}}
	for i := range b.Cases {
		c := newFaultCase(trace, b.From+i*b.Step, faultErrors[b.Error])
		c.try()
		injected, fatal, problem := c.result()
		if injected == nil {
			r.Finished = true
			if problem != "" {
				r.Failures = append(r.Failures, problem)
			}
			break
		}
		r.Cases++
		r.Ops[injected.op+fileKind(injected.path, injected.op)]++
		if fatal != nil {
			r.Stopped++
		} else {
			r.Refused++
		}
		if problem != "" {
			r.Failures = append(r.Failures, fmt.Sprintf("%v fails with %s: %s", *injected, b.Error, problem))
		}
	}
	return r
}

// fileKind names what kind of file a path is, for the count of operations.
func fileKind(path, op string) string {
	base := path[strings.LastIndex(path, "/")+1:]
	switch {
	case op == "lock", op == "sync directory", op == "create directory":
		return ""
	case strings.HasSuffix(base, ".log"):
		return " log"
	case strings.HasSuffix(base, ".sst"):
		return " sst"
	case strings.HasPrefix(base, "MANIFEST"):
		return " MANIFEST"
	case strings.HasPrefix(base, "marker"):
		return " marker"
	case strings.HasPrefix(base, "witness"):
		return " witness"
	case strings.HasPrefix(base, "OPTIONS"):
		return " OPTIONS"
	}
	return " other"
}

// faultCase is one run of the workload in which one operation fails.
type faultCase struct {
	*driven
	mem   *vfs.MemFS
	at    int
	cause error

	mu       sync.Mutex
	count    int
	injected *operation
	fatal    *operation
	problem  string

	halted chan struct{} // closed when OnFatal was called
	// ended tells that the workload has returned; phases tells what it is about to do, with the store that it has.
	ended  chan error
	phases chan phase
}

// phase is a stretch of the workload. Within Open and Close the latch may hold it for ever, elsewhere it may not.
type phase struct {
	name  string
	store *Store
}

func newFaultCase(trace *persistencetest.Trace, at int, cause error) *faultCase {
	return &faultCase{
		driven: newDriven(trace), mem: vfs.NewCrashableMem(), at: at, cause: cause,
		halted: make(chan struct{}), ended: make(chan error, 1), phases: make(chan phase, 16),
	}
}

// patience is how long a case may take before it counts as hung.
const patience = 10 * time.Second

// hook fails one operation as a real file system would: with the path, but for syncs, whose errors are bare.
func (c *faultCase) hook(op, path string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.count
	c.count++
	if n != c.at {
		return nil
	}
	c.injected = &operation{n, op, path}
	if strings.HasPrefix(op, "sync") {
		return c.cause
	}
	return &fs.PathError{Op: op, Path: path, Err: c.cause}
}

func (c *faultCase) onFatal(op, path string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fatal == nil {
		c.fatal = &operation{c.count, op, path}
		if !errors.Is(err, c.cause) {
			c.note("OnFatal got %v", err)
		}
		close(c.halted)
	}
}

// note keeps the first problem. The lock is held.
func (c *faultCase) note(format string, args ...any) {
	if c.problem == "" {
		c.problem = fmt.Sprintf(format, args...)
	}
}

func (c *faultCase) fail(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(format, args...)
}

// try is the whole case.
func (c *faultCase) try() {
	go func() { c.ended <- c.work() }()
	now, err, ok := c.await()
	if !ok {
		stacks := make([]byte, 1<<22)
		stacks = stacks[:runtime.Stack(stacks, true)]
		c.fail("hangs in phase %q:\n%s", now.name, stacks[max(0, bytes.LastIndex(stacks, []byte("faultCase).work"))-3000):])
		return
	}
	injected, fatal, _ := c.result()
	switch {
	case injected == nil && err != nil:
		c.fail("the workload without a fault ended as %v", err)
	case injected == nil:
	case fatal != nil:
		c.stopped(now, injected, fatal)
	case err == nil:
		c.fail("nobody noticed")
	case !errors.Is(err, c.cause) || !strings.Contains(err.Error(), injected.path) && !strings.HasPrefix(injected.op, "sync"):
		c.fail("Open's error does not say what failed where: %v", err)
	}
	if err := checkImage(c.mem.CrashClone(vfs.CrashCloneCfg{}), c.trace, c.atLeast()); err != nil {
		c.fail("what is left: %v", err)
	}
}

// result is what has become of the case so far.
func (c *faultCase) result() (injected, fatal *operation, problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.injected, c.fatal, c.problem
}

// await waits until the workload has returned, or the latch has closed and the workload is where it may be held.
func (c *faultCase) await() (now phase, err error, ok bool) {
	timeout := time.After(patience)
	halted, stopped := c.halted, false
	for !stopped || now.name == "working" {
		select {
		case now = <-c.phases:
		case err = <-c.ended:
			for len(c.phases) > 0 {
				now = <-c.phases
			}
			return now, err, true
		case <-halted:
			halted, stopped = nil, true
		case <-timeout:
			return now, nil, false
		}
	}
	return now, nil, true
}

// stopped checks what a store says after its latch has closed. There is none if the latch closed within Open.
func (c *faultCase) stopped(now phase, injected, fatal *operation) {
	// While a store opens, what is to be removed is moved out of the way instead.
	archived := fatal.op == "remove" && injected.op == "rename"
	if fatal.path != injected.path || fatal.op != injected.op && !archived {
		c.fail("the stop names %s %s", fatal.op, fatal.path)
	}
	s := now.store
	if s == nil {
		return
	}
	select {
	case <-s.Stopped():
	case <-time.After(patience):
		c.fail("the store does not say that it stopped")
		return
	}
	// A store that was being closed may say so instead: it had stopped before the fault.
	closed := now.name == "closing" && errors.Is(s.Cause(), errClosed)
	if cause := s.Cause(); !closed && (!errors.Is(cause, c.cause) || !strings.Contains(cause.Error(), injected.path) ||
		!strings.Contains(cause.Error(), injected.op)) {
		c.fail("Cause does not say what failed where: %v", cause)
	}
	answers := make(chan error, 2)
	s.Propose(0, persistence.Proposal{Command: persistence.EndEpoch{}, Done: func(r persistence.Result) { answers <- r.Err }})
	s.View(0, func(persistence.Reader) error { return nil }, func(err error) { answers <- err })
	for range 2 {
		select {
		case err := <-answers:
			if !errors.Is(err, persistence.ErrNotLeader) && !errors.Is(err, persistence.ErrStopped) {
				c.fail("a stopped store answers %v", err)
			}
		case <-time.After(patience):
			c.fail("a stopped store does not answer")
			return
		}
	}
}

// work is the workload: open, commands, a reopening in the middle, close. It may be held for ever by the latch.
func (c *faultCase) work() error {
	clock := &handClock{}
	dice := rand.New(rand.NewPCG(c.trace.Seed, 5))
	o := Options{
		Dir: "store", FS: &opFS{FS: c.mem, hook: c.hook}, Partitions: c.trace.Partitions, Clock: clock, Tuning: sweepTuning,
		OnFatal: c.onFatal,
	}
	half := len(c.trace.Steps) / 2
	for _, steps := range [][2]int{{0, half}, {half, len(c.trace.Steps)}} {
		c.phases <- phase{"opening", nil}
		store, err := Open(o)
		if err != nil {
			return err
		}
		c.phases <- phase{"working", store}
		for i := steps[0]; i < steps[1]; i++ {
			if dice.IntN(10) == 0 {
				go clock.fire() // which the latch may hold for ever
			}
			c.proposeWatched(store, i)
			if dice.IntN(4) == 0 {
				c.view(store, persistence.Partition(dice.IntN(c.trace.Partitions)))
			}
			if dice.IntN(3) == 0 {
				c.pending.Wait()
			}
		}
		c.pending.Wait()
		c.phases <- phase{"closing", store}
		if err := store.Close(); err != nil {
			return err
		}
	}
	return nil
}

// proposeWatched is propose, and looks that nothing is acknowledged once the store has said that it stopped.
func (c *faultCase) proposeWatched(s *Store, i int) {
	step := &c.trace.Steps[i]
	c.pending.Add(1)
	p := step.Proposal
	p.Done = func(r persistence.Result) {
		defer c.pending.Done()
		if r.Index == 0 {
			return
		}
		c.learn(step.Partition, r.Index)
		select {
		case <-s.Stopped():
			c.fail("index %d of partition %d was acknowledged after the store had stopped", r.Index, step.Partition)
		default:
		}
	}
	s.Propose(step.Partition, p)
}
