package pebble

import (
	"fmt"
	"sync"

	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/pebble/internal/locallog"
)

// Store is a journal on Pebble. It implements persistence.Journal.
//
// It holds the core, a log that drives it and the queue of reads, and starts and closes them in order.
type Store struct {
	o     Options
	core  *core
	log   *locallog.Log
	views *viewQueue

	// closing is closed when Close begins.
	closing chan struct{}
	// running are the store's goroutines, beside those of the log.
	running sync.WaitGroup
	// readers is held for reading by calls such as MayExist, which read the database outside the queue of reads. Close waits
	// for them, because a database must not be closed while a call reads it.
	readers sync.RWMutex

	tick  clock.Timer
	ticks struct {
		sync.Mutex
		stopped bool
	}

	dropped bool // by Drop
	once    sync.Once
	result  error
}

var _ persistence.Journal = (*Store)(nil)

var errReadOnly = fmt.Errorf("%w: the store is open for reading only", persistence.ErrNotLeader)

// newStore puts a log over a core.
func newStore(c *core) *Store {
	s := &Store{o: c.o, core: c, views: newViewQueue(c.o.Tuning.ViewsMax, !c.o.Manual), closing: make(chan struct{})}
	t := &c.o.Tuning
	s.log = locallog.New(logged{c}, locallog.Config{
		QueueMax: t.QueueMax, QueueBytes: t.QueueBytes, BatchCommands: t.BatchCommands, BatchBytes: t.BatchBytes,
		Pipeline: t.Pipeline, OnStop: s.failReads,
	})
	if c.o.ReadOnly {
		s.log.Refuse(errReadOnly)
	}
	return s
}

// failReads ends the reads that wait, when the log has stopped.
func (s *Store) failReads(err error) {
	s.core.durable.fail(err)
	s.views.fail(err)
}

// Info implements persistence.Journal.
func (s *Store) Info() persistence.StoreInfo { return s.core.info }

// PartitionOf implements persistence.Journal.
func (s *Store) PartitionOf(id string) persistence.Partition {
	return s.core.table[persistence.Slot(id)]
}

// Attach implements persistence.Journal.
func (s *Store) Attach(p persistence.Partition, sink func(*persistence.Effects)) {
	s.core.sinks[p] = &sink
}

// Propose implements persistence.Journal.
func (s *Store) Propose(p persistence.Partition, proposal persistence.Proposal) {
	s.log.Propose(p, proposal)
}

// Stopped implements persistence.Journal.
func (s *Store) Stopped() <-chan struct{} { return s.log.Stopped() }

// Cause implements persistence.Journal. A failure comes before a Close, also one that Close itself met.
func (s *Store) Cause() error {
	select {
	case <-s.core.latch.done:
		return fmt.Errorf("%w: %w", persistence.ErrStopped, s.core.latch.cause())
	default:
	}
	return s.log.Cause()
}

// MayExist implements persistence.Journal. A store that has stopped answers true: it does not know.
func (s *Store) MayExist(id string) bool {
	s.readers.RLock()
	defer s.readers.RUnlock()
	select {
	case <-s.log.Stopped():
		return true
	default:
	}
	return s.core.mayExist(s.PartitionOf(id), id)
}

// start starts the store's goroutines.
func (s *Store) start() {
	switch {
	case s.o.Manual && !s.o.ReadOnly:
		if err := s.core.fillFilters(s.core.db, nil); err != nil {
			s.o.Log("the names of the store cannot all be read: %v", err)
		}
		return
	case s.o.Manual:
		return
	case !s.o.ReadOnly:
		s.fillFiltersInBackground()
		s.log.Start()
		s.arm()
	}
	s.running.Add(s.o.Tuning.Readers * int(lanes))
	for range s.o.Tuning.Readers {
		for l := range lanes {
			go s.serve(l)
		}
	}
}

// fillFiltersInBackground fills the core's filters on a goroutine of its own, from a snapshot taken before the first
// command.
func (s *Store) fillFiltersInBackground() {
	snapshot := s.core.db.NewSnapshot()
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		if err := s.core.fillFilters(snapshot, s.closing); err != nil {
			s.o.Log("the names of the store cannot all be read: %v", err)
		}
		if s.core.latch.blocksPebble() {
			return // after a failure Pebble is not called any more
		}
		if err := snapshot.Close(); err != nil {
			s.o.Log("close snapshot: %v", err)
		}
	}()
}

// Close implements persistence.Journal. After a failure it returns the failure, does not close Pebble, and leaves the
// directory locked: this process must not change any more what Pebble has written.
func (s *Store) Close() error {
	s.once.Do(func() { s.result = s.close() })
	return s.result
}

func (s *Store) close() error {
	s.log.Shut()
	close(s.closing)
	s.disarm()
	if s.o.Manual {
		for s.Step(StepApply) || s.Step(StepSync) || s.Step(StepView) {
		}
	}
	if !s.finished() {
		return fmt.Errorf("close store %s: %w", s.o.Dir, s.core.latch.cause())
	}
	s.log.Finish(errClosed)
	_, err := guarded(s.core.latch, func() (struct{}, error) { return struct{}{}, s.closeCore() })
	if err != nil {
		return fmt.Errorf("close store %s: %w", s.o.Dir, err)
	}
	return nil
}

// closeCore waits for all users of the core and closes it.
func (s *Store) closeCore() error {
	s.log.Wait()
	s.running.Wait()
	s.waitForReaders()
	return s.core.close()
}

// finished waits until the log has released all its commands. It returns false if the store failed first.
func (s *Store) finished() bool {
	if s.o.Manual || s.o.ReadOnly {
		return s.core.latch.clear()
	}
	select {
	case <-s.log.Drained():
		return s.core.latch.clear()
	case <-s.core.latch.done:
		return false
	}
}

// waitForReaders returns when no call that holds readers uses the database. A later call sees that the store has stopped,
// and does not use the database.
func (s *Store) waitForReaders() {
	s.readers.Lock()
	defer s.readers.Unlock()
}
