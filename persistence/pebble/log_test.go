package pebble

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
)

// live is a store with goroutines of its own, on a memory file system.
func live(t *testing.T, o Options) *Store {
	t.Helper()
	if o.FS == nil {
		o.FS = vfs.NewMem()
	}
	o.Dir = "store"
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// seen records what one partition's callbacks were called with, in order.
type seen struct {
	sync.Mutex
	log []string
}

func (s *seen) note(format string, args ...any) {
	s.Lock()
	defer s.Unlock()
	s.log = append(s.log, fmt.Sprintf(format, args...))
}

// TestCallbacksComeInIndexOrder proposes from many goroutines. In each partition every index is released once, in order,
// its effects before its result.
func TestCallbacksComeInIndexOrder(t *testing.T) {
	const workers, each = 16, 60
	s := live(t, Options{Partitions: 4, Tuning: Tuning{BatchCommands: 7, Pipeline: 3}})
	logs := make([]seen, 4)
	for p := range logs {
		s.Attach(persistence.Partition(p), func(e *persistence.Effects) { logs[p].note("effects %d", e.Index) })
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				id := fmt.Sprintf("i-%d-%d", w, i)
				p := s.PartitionOf(id)
				for range 2 { // the second is refused
					await2(s, p, &persistence.StartInstance{ID: id, Name: "o"}, func(r persistence.Result) { logs[p].note("done %d", r.Index) })
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for p := range logs {
		next, last := 1, ""
		for _, line := range logs[p].log {
			switch line {
			case fmt.Sprintf("effects %d", next):
			case fmt.Sprintf("done %d", next):
				next++
			default:
				t.Fatalf("partition %d: %q after %q, expected index %d", p, line, last, next)
			}
			last = line
		}
		total += next - 1
	}
	if total != workers*each*2 {
		t.Fatalf("%d results", total)
	}
	if m := s.Metrics(); m.Commands != workers*each*2 || m.Refused[persistence.AlreadyExists] != workers*each || m.Batches >= m.Commands {
		t.Fatalf("%+v", m)
	}
}

// await2 proposes and waits until done has run.
func await2(s *Store, p persistence.Partition, c persistence.Command, done func(persistence.Result)) {
	var wg sync.WaitGroup
	wg.Add(1)
	s.Propose(p, persistence.Proposal{TimeMs: 1, Command: c, Done: func(r persistence.Result) { done(r); wg.Done() }})
	wg.Wait()
}

// TestReadsBesideWrites reads from many goroutines while others write. A view never shows less than what was answered
// before it was asked for.
func TestReadsBesideWrites(t *testing.T) {
	s := live(t, Options{Partitions: 1})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 40 {
				id := fmt.Sprintf("i-%d-%d", w, i)
				if r := await(s, 0, persistence.Proposal{TimeMs: 1, Command: &persistence.StartInstance{ID: id, Name: "o"}}); r.Err != nil {
					t.Error(r.Err)
				}
				if !s.MayExist(id) {
					t.Errorf("%s exists, and the filter denies it", id)
				}
				var ok bool
				if err := awaitView(s, func(r persistence.Reader) (err error) { _, ok, err = r.Resolve(id); return err }); err != nil || !ok {
					t.Errorf("%s: %v %v", id, ok, err)
				}
			}
		})
	}
	wg.Wait()
}

func awaitView(s *Store, read func(persistence.Reader) error) error {
	done := make(chan error, 1)
	s.View(0, read, func(err error) { done <- err })
	return <-done
}

func TestViewGivesBackItsReadersError(t *testing.T) {
	s := live(t, Options{Partitions: 1})
	want := errors.New("mine")
	if err := awaitView(s, func(persistence.Reader) error { return want }); !errors.Is(err, want) {
		t.Fatal(err)
	}
}

// TestFullQueuesAreBusy fills the queues of a store that is not driven.
func TestFullQueuesAreBusy(t *testing.T) {
	r := newRig(t, Options{Partitions: 1, Tuning: Tuning{QueueMax: 3, ViewsMax: 2}})
	var busy, done int
	for range 5 {
		r.s.Propose(0, persistence.Proposal{Command: &persistence.Sweep{}, Done: func(res persistence.Result) {
			if errors.Is(res.Err, persistence.ErrBusy) && res.Index == 0 {
				busy++
			} else {
				done++
			}
		}})
	}
	var viewsBusy int
	for range 3 {
		r.s.View(0, func(persistence.Reader) error { return nil }, func(err error) {
			if errors.Is(err, persistence.ErrBusy) {
				viewsBusy++
			}
		})
	}
	if busy != 2 || done != 0 || viewsBusy != 1 {
		t.Fatalf("busy %d, done %d, views busy %d", busy, done, viewsBusy)
	}
	r.run()
	if done != 3 {
		t.Fatal(done)
	}
}

func TestQueueIsBoundedByBytes(t *testing.T) {
	r := newRig(t, Options{Partitions: 1, Tuning: Tuning{QueueBytes: 1 << 20}})
	var busy int
	for range 4 {
		r.s.Propose(0, persistence.Proposal{
			Command: &persistence.Enqueue{ID: "none", Message: make([]byte, 600<<10)},
			Done: func(res persistence.Result) {
				if errors.Is(res.Err, persistence.ErrBusy) {
					busy++
				}
			},
		})
	}
	if busy != 2 {
		t.Fatal(busy)
	}
	r.run()
}

// TestNothingIsVisibleOutsideBeforeItsSync takes the steps one by one.
func TestNothingIsVisibleOutsideBeforeItsSync(t *testing.T) {
	r := newRig(t, Options{Partitions: 1})
	var result, viewed, loaded bool
	r.s.Propose(0, persistence.Proposal{TimeMs: 1, Command: &persistence.StartInstance{ID: "i", Name: "o"},
		Done: func(persistence.Result) { result = true }})
	r.s.Step(StepApply)
	saw := 0
	read := func(rd persistence.Reader) error {
		if _, ok, err := rd.Resolve("i"); err != nil || !ok {
			t.Errorf("%v %v", ok, err)
		}
		saw++
		return nil
	}
	r.s.View(0, read, func(error) { viewed = true })
	r.s.Load(0, read, func(error) { loaded = true })
	r.s.Step(StepView)
	r.s.Step(StepView)
	if saw != 2 || !loaded || viewed || result || len(r.effects) != 0 {
		t.Fatalf("before the sync: reads %d, loaded %t, viewed %t, result %t, effects %d", saw, loaded, viewed, result, len(r.effects))
	}
	r.s.Step(StepSync)
	if !viewed || !result || len(r.effects) != 1 {
		t.Fatalf("after the sync: viewed %t, result %t, effects %d", viewed, result, len(r.effects))
	}
}

// TestFailedSyncAcknowledgesNothing fails the sync of a batch that is applied, with more waiting behind it.
func TestFailedSyncAcknowledgesNothing(t *testing.T) {
	var fatal string
	r := newRig(t, Options{Partitions: 1, OnFatal: func(op, path string, err error) { fatal = op + " " + path + ": " + err.Error() }})
	var results []error
	note := func(res persistence.Result) { results = append(results, res.Err) }
	propose := func(id string) {
		r.s.Propose(0, persistence.Proposal{TimeMs: 1, Command: &persistence.StartInstance{ID: id, Name: "o"}, Done: note})
	}
	propose("a")
	r.s.Step(StepApply)
	var views []error
	noteView := func(err error) { views = append(views, err) }
	r.s.View(0, func(persistence.Reader) error { return nil }, noteView)
	r.s.Step(StepView) // waits for the sync
	r.s.View(0, func(persistence.Reader) error { return nil }, noteView)
	propose("b") // waits for its batch
	r.s.FailSync(errors.New("the disk is gone"))
	r.s.Step(StepSync)
	propose("c") // comes too late
	if len(results) != 3 || !errors.Is(results[0], persistence.ErrUncertain) ||
		!errors.Is(results[1], persistence.ErrNotLeader) || !errors.Is(results[2], persistence.ErrNotLeader) {
		t.Fatal(results)
	}
	if len(views) != 2 || !errors.Is(views[0], persistence.ErrStopped) || !errors.Is(views[1], persistence.ErrStopped) {
		t.Fatal(views)
	}
	if fatal != "sync store/db: the disk is gone" || r.s.Cause() == nil || len(r.effects) != 0 {
		t.Fatalf("%q %v %d", fatal, r.s.Cause(), len(r.effects))
	}
	select {
	case <-r.s.Stopped():
	default:
		t.Fatal("the store does not say that it has stopped")
	}
	if len(r.s.Steps()) != 0 || r.s.Step(StepApply) {
		t.Fatal("a stopped store takes steps")
	}
}

// TestCrashKeepsWhatWasAcknowledged crashes after each step of a short history and reopens the image.
func TestCrashKeepsWhatWasAcknowledged(t *testing.T) {
	commands := []persistence.Command{
		persistence.BeginEpoch{Epoch: 1, Node: "n1", Process: "p1"}, fusedStart("i"), lastTurn("i", 1, 1),
		&persistence.StartInstance{ID: "j", Name: "o"}, &persistence.Enqueue{ID: "j", Message: []byte("m")},
	}
	for crashAt := range 2 * len(commands) {
		r := newRig(t, Options{Partitions: 1})
		var acknowledged uint64
		step := 0
		for _, c := range commands {
			r.s.Propose(0, persistence.Proposal{TimeMs: 1, Epoch: 1, Command: c, Done: func(res persistence.Result) {
				r.mustSucceed(res)
				acknowledged = res.Index
			}})
			for _, kind := range []StepKind{StepApply, StepSync} {
				if step <= crashAt {
					r.s.Step(kind)
				}
				step++
			}
		}
		image := r.fs.CrashClone(vfs.CrashCloneCfg{})
		if err := r.s.Drop(); err != nil {
			t.Fatal(err)
		}
		r.open(Options{Dir: "store", FS: image, Manual: true})
		if got := r.dump(0).State.Applied; got != acknowledged {
			t.Fatalf("crash after step %d: index %d, acknowledged %d", crashAt, got, acknowledged)
		}
	}
}

func TestCloseEndsWhatIsInTheLog(t *testing.T) {
	s, err := Open(Options{Dir: "store", FS: vfs.NewMem(), Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	const n = 200
	var mu sync.Mutex
	var good, late int
	for i := range n {
		s.Propose(persistence.Partition(i%2), persistence.Proposal{TimeMs: 1,
			Command: &persistence.StartInstance{ID: fmt.Sprint(i), Name: "o"},
			Done: func(r persistence.Result) {
				mu.Lock()
				defer mu.Unlock()
				if r.Err == nil {
					good++
				}
			}})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if good != n {
		t.Fatalf("%d of %d were answered", good, n)
	}
	s.Propose(0, persistence.Proposal{Command: persistence.EndEpoch{}, Done: func(r persistence.Result) {
		if errors.Is(r.Err, persistence.ErrNotLeader) && errors.Is(r.Err, persistence.ErrStopped) {
			late++
		}
	}})
	s.View(0, func(persistence.Reader) error { return nil }, func(err error) {
		if errors.Is(err, persistence.ErrStopped) {
			late++
		}
	})
	if late != 2 || !s.MayExist("0") || !errors.Is(s.Cause(), persistence.ErrStopped) {
		t.Fatal(late, s.Cause())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// unknownCommand embeds a known one to be a command that this version does not know.
type unknownCommand struct{ persistence.Command }

func TestUnknownCommandStopsTheStore(t *testing.T) {
	var said error
	r := newRig(t, Options{Partitions: 1, OnFatal: func(_, _ string, err error) { said = err }})
	var got error
	r.s.Propose(0, persistence.Proposal{Command: unknownCommand{persistence.EndEpoch{}}, Done: func(res persistence.Result) { got = res.Err }})
	r.run()
	if !errors.Is(got, persistence.ErrUncertain) || said == nil {
		t.Fatal(got, said)
	}
}
