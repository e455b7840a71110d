package pebble

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/persistencetest"
)

var sweepPoints = flag.Int("sweep", 0, "crash points to try; 0 means $TURNSTONE_SWEEP_POINTS, or 5,000, or 200 with -short")

// pointsWanted is how many crash points the sweep is to try.
func pointsWanted(t *testing.T) int {
	t.Helper()
	if *sweepPoints > 0 {
		return *sweepPoints
	}
	if text := os.Getenv("TURNSTONE_SWEEP_POINTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n <= 0 {
			t.Fatalf("TURNSTONE_SWEEP_POINTS is %q; give a number above 0", text)
		}
		return n
	}
	if testing.Short() {
		return 200
	}
	return 5000
}

// sweepTuning makes a small workload reach what a large one does: flushes, compactions, log rotations.
var sweepTuning = Tuning{
	BatchCommands: 8, HeadCache: 4, MemTableBytes: 8 << 10, BlockCacheBytes: 1 << 20, Readers: 1, Pebble: small,
}

// image is what a crash left, and what it must hold.
type image struct {
	fs      *vfs.MemFS
	at      operation
	atLeast []uint64 // by partition: the highest index that was acknowledged or shown before
	kind    string
	seed    uint64
	depth   int
}

// sweeper runs workloads, takes an image at their operations, and checks the images on the other goroutines.
type sweeper struct {
	t      *testing.T
	want   int
	images chan image
	points atomic.Int64

	mu     sync.Mutex
	kinds  map[string]int
	ops    map[string]int
	failed int
}

// TestCrashSweep cuts a store at the write operations of real workloads, opens what is left, and compares it with the
// model: nothing acknowledged is lost, no command is half there, nothing that a view or a result showed is taken back,
// and the store goes on as the model does. It cuts during recovery, too, and leaves parts of what was not synced in some
// of the images; such an image cannot be made again from a seed, so it is kept when it fails.
func TestCrashSweep(t *testing.T) {
	s := &sweeper{
		t: t, want: pointsWanted(t), images: make(chan image, 4), kinds: map[string]int{}, ops: map[string]int{},
	}
	var checkers sync.WaitGroup
	for range max(1, runtime.GOMAXPROCS(0)-1) {
		checkers.Go(func() {
			for img := range s.images {
				s.examine(img)
			}
		})
	}
	began := time.Now()
	workloads := 0
	for seed := uint64(0); int(s.points.Load()) < s.want && !t.Failed(); seed++ {
		s.workload(seed)
		workloads++
	}
	close(s.images)
	checkers.Wait()
	t.Logf("%d crash points of %d workloads in %v: %v", s.points.Load(), workloads, time.Since(began).Round(time.Millisecond), s.kinds)
	t.Logf("cut before: %v", s.ops)
}

// TestCrashSweepFindsLies proves that the sweep can fail: on a disk that says that it synced a log and did not, what was
// acknowledged is lost, and a check of the image must say so.
func TestCrashSweepFindsLies(t *testing.T) {
	trace := persistencetest.Generate(7, 2, 120, 8)
	r := newDriven(trace)
	mem := vfs.NewCrashableMem()
	clock := &handClock{}
	lying := false
	disk := &opFS{FS: mem, hook: func(string, string) error { return nil }, lie: func(path string) bool {
		return lying && isLog(mem.PathBase(path))
	}}
	store, err := Open(Options{Dir: "store", FS: disk, Partitions: 2, Clock: clock, Tuning: sweepTuning})
	if err != nil {
		t.Fatal(err)
	}
	for i := range trace.Steps {
		if i == len(trace.Steps)/2 {
			if err := checkImage(mem.CrashClone(vfs.CrashCloneCfg{}), trace, r.atLeast()); err != nil {
				t.Errorf("on an honest disk: %v", err)
			}
			lying = true
		}
		r.propose(store, i)
		r.pending.Wait()
	}
	if err := checkImage(mem.CrashClone(vfs.CrashCloneCfg{}), trace, r.atLeast()); err == nil {
		t.Errorf("half of what was acknowledged was never synced, and the check of the crash image passes")
	} else {
		t.Logf("found: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// driven is one workload: a trace given to a store, with all that was acknowledged or shown.
type driven struct {
	trace   *persistencetest.Trace
	pending sync.WaitGroup
	// known is the highest index that was acknowledged or shown, by partition.
	known []atomic.Uint64
}

func newDriven(trace *persistencetest.Trace) *driven {
	return &driven{trace: trace, known: make([]atomic.Uint64, trace.Partitions)}
}

func (r *driven) learn(p persistence.Partition, index uint64) {
	for {
		old := r.known[p].Load()
		if index <= old || r.known[p].CompareAndSwap(old, index) {
			return
		}
	}
}

func (r *driven) atLeast() (indexes []uint64) {
	for p := range r.known {
		indexes = append(indexes, r.known[p].Load())
	}
	return indexes
}

// propose gives a step to a store and notes when it is acknowledged.
func (r *driven) propose(s *Store, i int) {
	step := &r.trace.Steps[i]
	r.pending.Add(1)
	p := step.Proposal
	p.Done = func(res persistence.Result) {
		if res.Index > 0 {
			r.learn(step.Partition, res.Index)
		}
		r.pending.Done()
	}
	s.Propose(step.Partition, p)
}

// view reads the index that a partition shows and notes it when it may be told.
func (r *driven) view(s *Store, p persistence.Partition) {
	r.pending.Add(1)
	var shown uint64
	s.View(p, func(read persistence.Reader) error {
		state, err := read.Partition()
		shown = state.Applied
		return err
	}, func(err error) {
		if err == nil {
			r.learn(p, shown)
		}
		r.pending.Done()
	})
}

// workload runs one trace on a store and hands on an image of some of its operations: of all of them in the first, and
// of fewer the fewer points are wanted.
func (s *sweeper) workload(seed uint64) {
	trace := s.traceOf(seed)
	r := newDriven(trace)
	mem := vfs.NewCrashableMem()
	dice := rand.New(rand.NewPCG(seed, 1))
	var mu sync.Mutex
	count := 0
	stride := max(1, min(8, 12_000/s.want))
	hook := func(op, path string) error {
		mu.Lock()
		defer mu.Unlock()
		count++
		if dice.IntN(stride) != 0 || int(s.points.Load()) >= s.want {
			return nil
		}
		img := image{at: operation{count, op, path}, atLeast: r.atLeast(), kind: "synced only", seed: seed}
		cfg := vfs.CrashCloneCfg{}
		if dice.IntN(5) == 0 {
			cfg.UnsyncedDataPercent = 10 + dice.IntN(81)
			cfg.RNG = rand.New(rand.NewPCG(seed, uint64(count)))
			img.kind = "some unsynced"
		}
		img.fs = mem.CrashClone(cfg)
		s.count(img)
		s.images <- img
		return nil
	}
	clock := &handClock{}
	o := Options{
		Dir: "store", FS: &opFS{FS: mem, hook: hook}, Partitions: trace.Partitions, Clock: clock, Tuning: sweepTuning,
		OnFatal: func(op, path string, err error) {
			s.t.Errorf("seed %d: the store stops: %s %s: %v", seed, op, path, err)
		},
	}
	if err := r.drive(o, clock, rand.New(rand.NewPCG(seed, 2))); err != nil {
		s.t.Errorf("seed %d: %v", seed, err)
	}
}

// drive gives the whole trace to a store, which it opens and closes three times.
func (r *driven) drive(o Options, clock *handClock, dice *rand.Rand) error {
	store, err := Open(o)
	if err != nil {
		return err
	}
	window := 1
	for i := range r.trace.Steps {
		if window--; window <= 0 {
			r.pending.Wait()
			window = 1 + dice.IntN(12)
		}
		switch dice.IntN(30) {
		case 0:
			clock.fire()
		case 1, 2, 3:
			r.view(store, persistence.Partition(dice.IntN(r.trace.Partitions)))
		}
		if i%(len(r.trace.Steps)/3) == len(r.trace.Steps)/4 {
			if err := store.Close(); err != nil {
				return err
			}
			if store, err = Open(o); err != nil {
				return err
			}
		}
		r.propose(store, i)
	}
	r.pending.Wait()
	return store.Close()
}

func (s *sweeper) count(img image) {
	s.points.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kinds[img.kind]++
	s.ops[img.at.op]++
}

// examine checks an image, and of some it also takes the images that a second crash, during recovery, would leave.
func (s *sweeper) examine(img image) {
	again := img.depth == 0 && img.at.n%5 == 0
	fs := vfs.FS(img.fs)
	var seconds []image
	if again {
		var mu sync.Mutex
		count := 0
		fs = &opFS{FS: img.fs, hook: func(op, path string) error {
			mu.Lock()
			defer mu.Unlock()
			count++
			if count%16 == img.at.n/5%16 && int(s.points.Load()) < s.want {
				second := image{
					fs: img.fs.CrashClone(vfs.CrashCloneCfg{}), at: operation{count, op, path}, atLeast: img.atLeast,
					kind: "in recovery", seed: img.seed, depth: 1,
				}
				s.count(second)
				seconds = append(seconds, second)
			}
			return nil
		}}
	}
	trace := s.traceOf(img.seed)
	original := img.fs.CrashClone(vfs.CrashCloneCfg{}) // all of the image is synced: this is a copy
	// A second image may hold what checkImage went on with, one partition after the other: no engine leaves their marks so.
	if img.depth == 0 && img.seed%2 == 0 && img.at.n%11 == 0 {
		if err := verifyImage(original); err != nil {
			s.report(img, original, err)
		}
	}
	if err := checkImage(fs, trace, img.atLeast); err != nil {
		s.report(img, original, err)
	}
	for _, second := range seconds {
		s.examine(second)
	}
}

// verifyImage checks that Verify finds a crash image whole. A crash before the store was there leaves none.
func verifyImage(fs vfs.FS) error {
	rep, err := Verify(Options{Dir: "store", FS: fs, Tuning: sweepTuning})
	if errors.Is(err, ErrNoStore) {
		return nil
	}
	if err == nil && len(rep.Damages) > 0 {
		err = fmt.Errorf("Verify finds damage where a crash has left none: %v", rep.Damages)
	}
	return err
}

// report says what is wrong with an image and keeps it.
func (s *sweeper) report(img image, original *vfs.MemFS, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed++; s.failed > 3 {
		return
	}
	dir := fmt.Sprintf("%s/seed-%d-operation-%d-%d", s.t.ArtifactDir(), img.seed, img.at.n, s.failed)
	_, cerr := vfs.Clone(original, vfs.Default, "store", dir)
	s.t.Errorf("seed %d, cut before %v (%s), image kept in %s (%v):\n%v", img.seed, img.at, img.kind, dir, cerr, err)
}

var (
	tracesMu sync.Mutex
	traces   = map[uint64]*persistencetest.Trace{}
)

// traceOf makes the trace of a seed, once.
func (s *sweeper) traceOf(seed uint64) *persistencetest.Trace {
	tracesMu.Lock()
	defer tracesMu.Unlock()
	if traces[seed] == nil {
		delete(traces, seed-3)
		steps := 260
		if underRace && testing.Short() { // as many points, of smaller stores
			steps = 130
		}
		traces[seed] = persistencetest.Generate(seed, 2, steps, 8)
	}
	return traces[seed]
}

// checkImage opens what is left of a store and compares it with the model, then goes on with what would come next.
func checkImage(fs vfs.FS, trace *persistencetest.Trace, atLeast []uint64) (err error) {
	var stop error
	s, err := Open(Options{
		Dir: "store", FS: fs, Partitions: trace.Partitions, Manual: true, Tuning: sweepTuning,
		OnFatal: func(op, path string, err error) { stop = fmt.Errorf("the store stops: %s %s: %w", op, path, err) },
	})
	if err != nil {
		return fmt.Errorf("it does not open: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close(), stop) }()
	for p := range trace.Partitions {
		if err := checkPartition(s, trace, persistence.Partition(p), atLeast[p]); err != nil {
			return err
		}
	}
	return nil
}

func checkPartition(s *Store, trace *persistencetest.Trace, p persistence.Partition, atLeast uint64) error {
	d, err := s.Dump(p)
	if err != nil {
		return err
	}
	if err := trace.CheckDump(d, atLeast); err != nil {
		return err
	}
	viewed := errors.New("the view was never answered")
	s.View(p, func(r persistence.Reader) error {
		_, err := trace.CheckView(p, r)
		return err
	}, func(err error) { viewed = err })
	for s.Step(StepView) {
	}
	if viewed != nil {
		return viewed
	}
	for _, step := range trace.After(p, d.State.Applied, 6) {
		got := "no answer"
		proposal := step.Proposal
		proposal.Done = func(r persistence.Result) { got = persistencetest.ResultText(r) }
		s.Propose(p, proposal)
		for s.Step(StepApply) || s.Step(StepSync) {
		}
		if got != step.Result {
			return fmt.Errorf("partition %d: after recovery, index %d (%T) is answered\n  %s\n  want %s",
				p, step.Index, step.Proposal.Command, got, step.Result)
		}
	}
	return nil
}
