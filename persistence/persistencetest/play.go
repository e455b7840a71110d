package persistencetest

import (
	"fmt"
	"sync"

	"github.com/turnstone-dev/turnstone/persistence"
)

// Play gives a trace to a fresh store and compares everything with the model: each result and its effects, what views
// show in between, and the dumps at the end. The seed decides how many proposals are in flight, thus where batches are
// cut, when the store is read, and at which of so many places it is closed and opened again. Nothing else may depend on
// it. Places where it differs are reported; only the first few.
func Play(t T, store Store, trace *Trace, seed uint64, reopens int) {
	t.Helper()
	pl := newPlayer(t, store, trace, seed)
	pl.attach()
	every := len(trace.Steps)/(reopens+1) + 1
	window := 1
	views := 25
	if len(trace.Steps) > 1000 {
		views = 3 // each reads everything, which is much by then
	}
	for i := range trace.Steps {
		if i%every == every-1 {
			pl.barrier()
			pl.reopen()
		}
		if window--; window <= 0 {
			pl.barrier()
			window = 1 + pl.upTo(1<<pl.upTo(9))
		}
		pl.propose(i)
		if pl.upTo(len(trace.Steps)) < views {
			pl.view(persistence.Partition(pl.upTo(trace.Partitions)))
		}
	}
	pl.barrier()
	for p := range trace.Partitions {
		d, err := store.Dump(persistence.Partition(p))
		if err != nil {
			t.Fatalf("dump of partition %d: %v", p, err)
		}
		if got, want := d.String(), trace.FinalDump(persistence.Partition(p)); got != want {
			t.Errorf("seed %d, partition %d: the dump differs from the model's:\n%s", trace.Seed, p, firstDifference(want, got))
		}
		for _, problem := range CheckDump(d) {
			t.Errorf("seed %d, partition %d: %s", trace.Seed, p, problem)
		}
	}
}

type player struct {
	*dice
	t     T
	store Store
	trace *Trace
	// pending are proposals and views without an answer.
	pending sync.WaitGroup
	results []string
	indexes []uint64
	// effects are what the sinks were told, by partition and index; last is the index answered last.
	effects  [][]string
	last     []uint64
	mu       sync.Mutex
	problems []string
	checked  int
	proposed int
}

func newPlayer(t T, store Store, trace *Trace, seed uint64) *player {
	pl := &player{
		dice: newDice(seed), t: t, store: store, trace: trace,
		results: make([]string, len(trace.Steps)), indexes: make([]uint64, len(trace.Steps)),
		effects: make([][]string, trace.Partitions), last: make([]uint64, trace.Partitions),
	}
	for p := range pl.effects {
		pl.effects[p] = make([]string, len(trace.Steps)+1)
	}
	return pl
}

func (pl *player) attach() {
	for p := range pl.trace.Partitions {
		pl.store.Journal().Attach(persistence.Partition(p), func(e *persistence.Effects) {
			if e.Index != pl.last[p]+1 && e.Index <= pl.last[p] {
				pl.problem("partition %d: effects of index %d come after the answer of %d", p, e.Index, pl.last[p])
			}
			pl.effects[p][e.Index] = EffectsText(e)
		})
	}
}

func (pl *player) problem(format string, args ...any) {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	if pl.problems = append(pl.problems, fmt.Sprintf(format, args...)); len(pl.problems) > 5 {
		pl.problems = pl.problems[:5]
	}
}

func (pl *player) propose(i int) {
	s := pl.trace.Steps[i]
	pl.pending.Add(1)
	p := s.Proposal
	p.Done = func(r persistence.Result) {
		defer pl.pending.Done()
		if r.Index != pl.last[s.Partition]+1 {
			pl.problem("partition %d: index %d was answered after %d", s.Partition, r.Index, pl.last[s.Partition])
		}
		pl.last[s.Partition] = r.Index
		pl.results[i], pl.indexes[i] = ResultText(r), r.Index
	}
	pl.store.Journal().Propose(s.Partition, p)
	pl.proposed = i + 1
}

func (pl *player) view(p persistence.Partition) {
	pl.pending.Add(1)
	pl.store.Journal().View(p, func(r persistence.Reader) error {
		_, err := pl.trace.CheckView(p, r)
		return err
	}, func(err error) {
		defer pl.pending.Done()
		if err != nil {
			pl.problem("view: %v", err)
		}
	})
}

// barrier waits for all answers and compares them.
func (pl *player) barrier() {
	pl.t.Helper()
	pl.store.Settle()
	pl.pending.Wait()
	for ; pl.checked < pl.proposed; pl.checked++ {
		i := pl.checked
		s := pl.trace.Steps[i]
		if pl.results[i] != s.Result {
			pl.problem("step %d, %T at index %d of partition %d:\n  %s\n  want %s", i, s.Proposal.Command, s.Index, s.Partition,
				pl.results[i], s.Result)
		}
		if got := pl.effects[s.Partition][s.Index]; got != s.Effects {
			pl.problem("step %d, effects of %T at index %d of partition %d:\n  %s\n  want %s", i, s.Proposal.Command, s.Index,
				s.Partition, got, s.Effects)
		}
	}
	for _, problem := range pl.problems {
		pl.t.Errorf("seed %d: %s", pl.trace.Seed, problem)
	}
	if len(pl.problems) > 0 {
		pl.t.Fatalf("seed %d: stopped at the first steps that differ", pl.trace.Seed)
	}
}

func (pl *player) reopen() {
	pl.t.Helper()
	if err := pl.store.Reopen(); err != nil {
		pl.t.Fatalf("seed %d: reopening: %v", pl.trace.Seed, err)
	}
	for p := range pl.trace.Partitions {
		d, err := pl.store.Dump(persistence.Partition(p))
		if err != nil {
			pl.t.Fatalf("dump of partition %d: %v", p, err)
		}
		if err := pl.trace.CheckDump(d, pl.last[p]); err != nil {
			pl.t.Errorf("seed %d: after reopening: %v", pl.trace.Seed, err)
		}
	}
	pl.attach()
}

// Kinds are the commands and refusals that random traces must reach, with how often at least.
func Kinds() map[string]int {
	want := map[string]int{}
	for _, c := range []persistence.Command{
		persistence.BeginEpoch{}, persistence.EndEpoch{}, &persistence.StartInstance{}, &persistence.Enqueue{},
		&persistence.CommitTurn{}, &persistence.LeaseTurn{}, &persistence.RenewTurn{}, &persistence.AbandonTurn{},
		&persistence.LeaseWork{}, &persistence.RenewWork{}, &persistence.CompleteWork{}, &persistence.AbandonWork{},
		&persistence.Deliver{}, &persistence.OutboxAck{}, &persistence.Sweep{}, &persistence.ReleaseTurn{},
		&persistence.ExpireWork{}, &persistence.Terminate{}, &persistence.DrainWatchers{},
	} {
		want[fmt.Sprintf("%T", c)] = 100
	}
	for _, code := range codeNames[1:] {
		want["refused "+code] = 20
	}
	for _, situation := range []string{
		"repeated", "fused start", "several parts", "turn without events", "timer fired", "accepted result",
		"accepted message", "turn under a lease", "renewed work", "work not renewed", "outcome 1", "outcome 2", "outcome 3",
		"outcome 4", "stale part 1", "stale part 2", "stale part 3", "stale part 4", "stale part 5",
		"joined start", "replaced instance", "released", "not held", "expired work", "terminated", "custom status",
		"key-value store changed", "key-value store merged", "awaited end", "wait given up",
	} {
		want[situation] = 5
	}
	return want
}

// CheckCoverage reports what a trace did not reach often enough.
func CheckCoverage(t T, coverage map[string]int) {
	t.Helper()
	want := Kinds()
	for _, what := range sortedKeys(want) {
		if coverage[what] < want[what] {
			t.Errorf("%s: %d times, want at least %d", what, coverage[what], want[what])
		}
	}
}
