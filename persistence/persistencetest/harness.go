package persistencetest

import (
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// T is what the kit needs of a test. Run makes one of *testing.T; the kit's own tests make one that records.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
	// Together runs f(0) to f(n-1) at the same time and returns when all have ended.
	Together(n int, f func(i int))
}

// Store is one store under test.
type Store interface {
	// Journal is the open journal; another one after Reopen and Crash.
	Journal() persistence.Journal
	// Dump is a partition's whole state.
	Dump(p persistence.Partition) (*persistence.Dump, error)
	// Settle lets a journal that has no goroutines of its own finish what is in flight; others need do nothing.
	Settle()
	// Reopen closes the journal and opens it again.
	Reopen() error
	// Crash leaves the journal at this very moment, with what is in flight, keeps of the store only what is certainly
	// durable, and opens that.
	Crash() error
}

// Harness makes fresh stores.
type Harness struct {
	Name string
	// Open makes a new store with so many partitions; it is closed by the test's cleanup.
	Open func(t T, partitions int) Store
}

// Case is one case of the conformance list, or of what the port promises beside it.
type Case struct {
	// Name is the id in the conformance list, with an underscore, or KIT_ or F_ and a number for cases of our own; then a
	// sentence that says what is given and what must come out.
	Name string
	Run  func(s *story)
}

// Cases are all cases, by group.
func Cases() []Case {
	var all []Case
	for _, group := range [][]Case{
		atomicityCases(), errorCases(), creationCases(), lockingCases(), expiryCases(), queueCases(), executionCases(),
		attemptCases(), portCases(), deliveryCases(), endCases(), inboxCases(),
		statusCases(), cleanupCases(), kvCases(), kvLayerCases(), unitCases(), unitTimeCases(),
	} {
		all = append(all, group...)
	}
	return all
}

// Run runs every case, each on a fresh store, as a subtest of its name.
func Run(t *testing.T, h Harness) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			RunCase(testT{t}, h, c)
		})
	}
}

// RunCase runs one case on a fresh store.
func RunCase(t T, h Harness, c Case) {
	s := newStory(t, h.Open(t, 4))
	c.Run(s)
	s.finish()
}

// testT makes a T of a test.
type testT struct{ *testing.T }

// NewT makes a T of a test.
func NewT(t *testing.T) T { return testT{t} }

// Together implements [T] with parallel subtests, which are the only goroutines that a test needs.
func (t testT) Together(n int, f func(i int)) {
	t.Helper()
	t.Run("together", func(group *testing.T) {
		for i := range n {
			group.Run("", func(one *testing.T) {
				one.Parallel()
				f(i)
			})
		}
	})
}

// MemoryHarness makes stores of models, perhaps with faults.
func MemoryHarness(faults Faults) Harness {
	return Harness{Name: "model", Open: func(t T, partitions int) Store {
		d := NewDisk(partitions)
		s := &memoryStore{disk: d, faults: faults, journal: OpenMemory(d, faults)}
		t.Cleanup(func() { _ = s.journal.Close() })
		return s
	}}
}

type memoryStore struct {
	disk    *Disk
	faults  Faults
	journal *Memory
}

func (s *memoryStore) Journal() persistence.Journal { return s.journal }

func (s *memoryStore) Dump(p persistence.Partition) (*persistence.Dump, error) {
	return s.journal.Dump(p)
}

func (s *memoryStore) Settle() { s.journal.Settle() }

func (s *memoryStore) Reopen() error {
	err := s.journal.Close()
	s.journal = OpenMemory(s.disk, s.faults)
	return err
}

func (s *memoryStore) Crash() error {
	s.journal.Stop(persistence.ErrStopped)
	s.journal = OpenMemory(s.disk, s.faults)
	return nil
}
