package pebble

import (
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"github.com/turnstone-dev/turnstone/persistence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a manually driven store on a crashable memory file system.
type rig struct {
	t  testing.TB
	fs *vfs.MemFS
	s  *Store
	// effects of all partitions, in the order of their release.
	effects []*persistence.Effects
	now     int64
	epoch   uint64
}

func newRig(t testing.TB, o Options) *rig {
	t.Helper()
	r := &rig{t: t, now: 1_000, epoch: 1}
	if o.FS == nil {
		r.fs = vfs.NewCrashableMem()
		o.FS = r.fs
	}
	o.Dir, o.Manual = "store", true
	r.open(o)
	t.Cleanup(func() {
		if err := r.s.Close(); err != nil && r.s.core.latch.clear() {
			t.Error(err)
		}
		if !r.s.core.latch.clear() {
			if err := r.s.Drop(); err != nil {
				t.Error(err)
			}
		}
	})
	return r
}

func (r *rig) open(o Options) {
	r.t.Helper()
	if o.OnFatal == nil {
		o.OnFatal = func(op, path string, err error) { r.t.Logf("fatal: %s %s: %v", op, path, err) }
	}
	s, err := Open(o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.s = s
	for p := range s.core.info.Partitions {
		s.Attach(persistence.Partition(p), func(e *persistence.Effects) { r.effects = append(r.effects, e) })
	}
}

// run steps until nothing is left to do.
func (r *rig) run() {
	for r.s.Step(StepApply) || r.s.Step(StepSync) || r.s.Step(StepView) {
	}
}

// do proposes a command and drives it to its result.
func (r *rig) do(p persistence.Partition, c persistence.Command) persistence.Result {
	r.t.Helper()
	var got persistence.Result
	called := 0
	r.s.Propose(p, persistence.Proposal{TimeMs: r.now, Epoch: r.epoch, Command: c, Done: func(res persistence.Result) {
		got = res
		called++
	}})
	r.run()
	if called != 1 {
		r.t.Fatalf("%T: done was called %d times", c, called)
	}
	return got
}

// ok proposes a command that must succeed.
func (r *rig) ok(p persistence.Partition, c persistence.Command) persistence.Result {
	r.t.Helper()
	res := r.do(p, c)
	if res.Err != nil {
		r.t.Fatalf("%T: %v", c, res.Err)
	}
	return res
}

func (r *rig) dump(p persistence.Partition) *persistence.Dump {
	r.t.Helper()
	d, err := r.s.Dump(p)
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

func (r *rig) begin() {
	r.t.Helper()
	for p := range r.s.core.info.Partitions {
		r.ok(persistence.Partition(p), persistence.BeginEpoch{Epoch: r.epoch, Node: "n1", Process: "p1"})
	}
}

// part is a segment of n events from first on, with made-up bytes.
func part(first, n uint64) persistence.SegmentDraft {
	return persistence.SegmentDraft{
		Header: []byte{1, 2, 3},
		Parts:  []persistence.SegmentPart{{FirstEvent: first, Count: n, Events: []byte(fmt.Sprintf("events %d+%d", first, n))}},
	}
}

// fusedStart is a first turn that schedules one activity as event 2.
func fusedStart(id string) *persistence.CommitTurn {
	return &persistence.CommitTurn{
		ID: id, Execution: 1, AcceptedStart: &persistence.StartInstance{ID: id, Name: "o"},
		Segment: part(1, 2), Work: []persistence.NewWork{{Event: 2, Name: "a", Input: []byte("in")}},
		Outcome: persistence.OutcomeRunning, Name: "o", Version: "1.0.0", Pin: "0.1.0",
	}
}

// lastTurn accepts the result of event 2 and completes.
func lastTurn(id string, iid persistence.Incarnation, epoch uint64) *persistence.CommitTurn {
	return &persistence.CommitTurn{
		ID: id, IID: iid, Execution: 1, Turn: 1,
		AcceptedResults: []persistence.AcceptedResult{{Execution: 1, Event: 2, Epoch: epoch}},
		Segment:         part(3, 2), Outcome: persistence.OutcomeCompleted,
	}
}

// await proposes from any goroutine and waits.
func await(s *Store, p persistence.Partition, proposal persistence.Proposal) persistence.Result {
	var wg sync.WaitGroup
	var got persistence.Result
	wg.Add(1)
	proposal.Done = func(r persistence.Result) { got = r; wg.Done() }
	s.Propose(p, proposal)
	wg.Wait()
	return got
}
