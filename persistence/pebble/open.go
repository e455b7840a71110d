package pebble

import (
	"errors"
	"io"

	"github.com/turnstone-dev/turnstone/persistence"
)

var errUnfinished = errors.New("this store is being built")

// Open opens the store at o.Dir, creating it if the directory does not exist or is empty.
func Open(o Options) (*Store, error) { return nil, errUnfinished }

// Info implements persistence.Journal.
func (s *Store) Info() persistence.StoreInfo { return s.info }

// PartitionOf implements persistence.Journal.
func (s *Store) PartitionOf(id string) persistence.Partition { return 0 }

// Attach implements persistence.Journal.
func (s *Store) Attach(p persistence.Partition, sink func(*persistence.Effects)) {}

// Propose implements persistence.Journal.
func (s *Store) Propose(p persistence.Partition, proposal persistence.Proposal) {}

// View implements persistence.Journal.
func (s *Store) View(p persistence.Partition, read func(persistence.Reader) error, done func(error)) {
}

// Load implements persistence.Journal.
func (s *Store) Load(p persistence.Partition, read func(persistence.Reader) error, done func(error)) {
}

// MayExist implements persistence.Journal.
func (s *Store) MayExist(id string) bool { return true }

// Stopped implements persistence.Journal.
func (s *Store) Stopped() <-chan struct{} { return nil }

// Cause implements persistence.Journal.
func (s *Store) Cause() error { return nil }

// Close implements persistence.Journal.
func (s *Store) Close() error { return nil }

// Steps lists the kinds of steps that have something to do now. Only for a store opened with Options.Manual.
func (s *Store) Steps() []StepKind { return nil }

// Step takes one step and reports whether there was anything to do.
func (s *Store) Step(kind StepKind) bool { return false }

// FailSync makes the next StepSync fail with this error: the latch closes, and all that was not released is uncertain.
func (s *Store) FailSync(err error) {}

// Drop leaves the store as a crash does: nothing is released, nothing more is promised. Take the crash image of the
// file system before it.
func (s *Store) Drop() {}

// Dump reads a partition's whole content.
func (s *Store) Dump(p persistence.Partition) (*persistence.Dump, error) { return nil, errUnfinished }

// Metrics reads the store's counters.
func (s *Store) Metrics() Metrics { return Metrics{} }

// Metrics are counters since the store was opened.
type Metrics struct {
	Commands uint64
	Batches  uint64
	Syncs    uint64
	Refused  [8]uint64 // by persistence.Code
	// Iterators, IterSteps and Gets count Pebble iterators opened, their moves, and point reads by Apply.
	Iterators, IterSteps, Gets uint64
}

// Verify reads a store without changing it and reports all damage that it finds.
func Verify(o Options) (Report, error) { return Report{}, errUnfinished }

// Report is what Verify found.
type Report struct {
	Info    persistence.StoreInfo
	Rows    map[string]uint64 // by family
	Damages []Damage
}

// Damage is one thing that is wrong.
type Damage struct {
	Partition persistence.Partition
	Family    string
	Key       string
	What      string
}

// Dump reads the whole content of a store, one dump for each partition, without changing it.
func Dump(o Options) ([]*persistence.Dump, error) { return nil, errUnfinished }

// WriteDump writes the dumps of all partitions as text.
func (s *Store) WriteDump(w io.Writer) error { return errUnfinished }
