package pebble

import (
	"errors"
	"fmt"
	"io"
	"sync"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Store is a journal on Pebble. It implements persistence.Journal.
//
// Goroutines: Propose and View may be called from anywhere. The driver alone uses txn and machines. The syncer alone
// calls sinks and the Done of proposals, until the store fails; then the watcher does, with errors.
type Store struct {
	o     Options
	info  persistence.StoreInfo
	table []persistence.Partition // by slot
	dbDir string

	fs     vfs.FS // under the latch
	latch  *latch
	logs   *logTable
	keeper *witnessKeeper
	lock   *storeLock
	health io.Closer // nil unless the disk is watched
	db     *pdb.DB
	stats  counters

	txn      *txn
	machines []*machine
	sinks    []*func(*persistence.Effects)
	durable  *durableIndexes
	views    *viewQueue

	// wake says that the queue is not empty; slots bound the batches on their way; submitted carries them to the syncer.
	wake chan struct{}
	// drained is closed when the syncer has released the last batch.
	slots     chan struct{}
	submitted chan *flight
	drained   chan struct{}
	// spare holds released flights, to be filled again.
	spare chan *flight
	// closing is closed when Close begins, closed when it has ended, stopped when the store no longer serves.
	closing chan struct{}
	closed  chan struct{}
	stopped chan struct{}
	running sync.WaitGroup
	// releasing is held while results leave, so that a batch is released whole or fails whole.
	releasing sync.Mutex
	// asking is held for reading by MayExist, which may be called at any time: the database is closed under nobody.
	asking sync.RWMutex

	mu struct {
		sync.Mutex
		queue   []entry
		queued  int       // the sum of the queue's sizes
		flights []*flight // taken and not released, oldest first
		failed  bool
		// closed is what new proposals end with; nil while the store serves.
		closed error
		cause  error
	}

	tick  clock.Timer
	ticks struct {
		sync.Mutex
		stopped bool
	}

	manual manual
	once   sync.Once
	result error
}

var _ persistence.Journal = (*Store)(nil)

// Info implements persistence.Journal.
func (s *Store) Info() persistence.StoreInfo { return s.info }

// PartitionOf implements persistence.Journal.
func (s *Store) PartitionOf(id string) persistence.Partition { return s.table[persistence.Slot(id)] }

// Attach implements persistence.Journal.
func (s *Store) Attach(p persistence.Partition, sink func(*persistence.Effects)) { s.sinks[p] = &sink }

// Stopped implements persistence.Journal.
func (s *Store) Stopped() <-chan struct{} { return s.stopped }

// Cause implements persistence.Journal. A failure comes before a Close, also one that Close itself met.
func (s *Store) Cause() error {
	select {
	case <-s.latch.done:
		return fmt.Errorf("%w: %w", persistence.ErrStopped, s.latch.cause())
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.cause
}

// MayExist implements persistence.Journal. A store that has stopped answers true: it does not know.
func (s *Store) MayExist(id string) bool {
	s.asking.RLock()
	defer s.asking.RUnlock()
	select {
	case <-s.stopped:
		return true
	default:
	}
	if !s.latch.clear() {
		return true
	}
	p := s.PartitionOf(id)
	key := appendName(make([]byte, 0, 64), p, id)
	if s.machines[p].known.absent(key) {
		return false
	}
	ok, err := mayExist(s.db, key)
	return ok || err != nil
}

// mayExist asks the filters of all levels: a point read would not look at the filter of the last one.
func mayExist(db *pdb.DB, key []byte) (bool, error) {
	it, err := db.NewIter(&pdb.IterOptions{UseL6Filters: true})
	if err != nil {
		return true, err
	}
	found := it.SeekPrefixGE(key)
	if err := it.Close(); err != nil {
		return true, err
	}
	return found, nil
}

// start brings the store's goroutines to life.
func (s *Store) start() {
	switch {
	case s.o.Manual && !s.o.ReadOnly:
		if err := s.learn(s.db, nil); err != nil {
			s.o.Log("the names of the store cannot all be read: %v", err)
		}
		return
	case s.o.Manual:
		return
	case !s.o.ReadOnly:
		s.learnBeside()
		s.running.Add(3)
		go s.drive()
		go s.syncFlights()
		go s.watch()
		s.arm()
	}
	s.running.Add(s.o.Tuning.Readers)
	for range s.o.Tuning.Readers {
		go s.serve()
	}
}

// Close implements persistence.Journal. After a failure it gives the failure back and leaves Pebble as it is, and the
// directory locked: what Pebble has not written must not be touched by this process any more.
func (s *Store) Close() error {
	s.once.Do(func() { s.result = s.close() })
	return s.result
}

func (s *Store) close() error {
	s.mu.Lock()
	if s.mu.closed == nil {
		s.mu.closed = fmt.Errorf("%w: %w", persistence.ErrNotLeader, persistence.ErrStopped)
	}
	s.mu.Unlock()
	close(s.closing)
	s.disarm()
	if s.o.Manual {
		for s.Step(StepApply) || s.Step(StepSync) || s.Step(StepView) {
		}
	}
	if !s.finished() {
		return fmt.Errorf("close store %s: %w", s.o.Dir, s.latch.cause())
	}
	s.failAll(errClosed)
	close(s.closed)
	_, err := guarded(s.latch, func() (struct{}, error) { return struct{}{}, s.closeDB() })
	if err != nil {
		return fmt.Errorf("close store %s: %w", s.o.Dir, err)
	}
	return nil
}

// closeDB closes the database. What is in memory is written to tables first, so that a closed store is small, and the
// next open has no log to read. If the latch closes, it may never return, and the lock stays held.
func (s *Store) closeDB() error {
	s.running.Wait()
	s.waitForAskers()
	writes := !s.o.ReadOnly
	if writes {
		// A closing store may lack the descriptors for it, and its witness is true all the same.
		_ = s.writeWitness()
	}
	if writes && s.latch.clear() {
		if err := s.db.Flush(); err != nil {
			return err
		}
	}
	if !s.latch.clear() {
		return nil
	}
	// Closing Pebble may remove logs that are obsolete, so the witness is kept until after it.
	err := s.db.Close()
	if err == nil && writes {
		_ = s.writeWitness()
	}
	err = errors.Join(err, s.closeHealth())
	if s.latch.clear() {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// finished waits until all that is in the log is released. False if the store failed first.
func (s *Store) finished() bool {
	if s.o.Manual || s.o.ReadOnly {
		return s.latch.clear()
	}
	select {
	case <-s.drained:
		return s.latch.clear()
	case <-s.latch.done:
		return false
	}
}

// waitForAskers returns when nobody asks the database any longer: who asks from then on sees that the store has
// stopped, and leaves it alone.
func (s *Store) waitForAskers() {
	s.asking.Lock()
	defer s.asking.Unlock()
}
