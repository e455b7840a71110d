package pebble

import (
	"fmt"
	"runtime"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/turnstone-dev/turnstone/persistence"
)

// entry is one proposal on its way through the log.
type entry struct {
	p        persistence.Partition
	size     int
	proposal persistence.Proposal
	applied  persistence.Applied
}

// flight is a batch on its way: filled by the driver, synced, then released.
type flight struct {
	// entries are appended under Store.mu, by the driver only.
	entries []entry
	// size is the sum of the entries' sizes.
	size  int
	batch *pdb.Batch
	// reached is the last index of each partition that the flight moved; 0 for the others.
	reached []uint64
}

// Propose implements persistence.Journal.
func (s *Store) Propose(p persistence.Partition, proposal persistence.Proposal) {
	size := sizeOf(proposal.Command)
	s.mu.Lock()
	err := s.mu.closed
	if err == nil && (len(s.mu.queue) >= s.o.Tuning.QueueMax || s.mu.queued > s.o.Tuning.QueueBytes) {
		err = persistence.ErrBusy
	}
	if err != nil {
		s.mu.Unlock()
		proposal.Done(persistence.Result{Err: err})
		return
	}
	s.mu.queue = append(s.mu.queue, entry{p: p, size: size, proposal: proposal})
	s.mu.queued += size
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take moves waiting proposals into a flight, up to the batch's bounds, and returns how many. It opens the flight to
// failAll first, so that each proposal is always in the queue or in a known flight.
func (s *Store) take(f *flight) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for most := s.o.Tuning.BatchCommands - len(f.entries); n < min(len(s.mu.queue), most) && f.size < s.o.Tuning.BatchBytes; n++ {
		f.size += s.mu.queue[n].size
		s.mu.queued -= s.mu.queue[n].size
	}
	if n == 0 || s.mu.failed {
		return 0
	}
	if len(f.entries) == 0 {
		s.mu.flights = append(s.mu.flights, f)
	}
	f.entries = append(f.entries, s.mu.queue[:n]...)
	rest := copy(s.mu.queue, s.mu.queue[n:])
	clear(s.mu.queue[rest:])
	s.mu.queue = s.mu.queue[:rest]
	return n
}

// gatherRounds is how often a batch under load lets everybody run before it closes.
const gatherRounds = 8

// drive is the store's only writer: it fills one batch while the last ones sync.
func (s *Store) drive() {
	defer s.running.Done()
	defer close(s.submitted)
	busy := false
	for {
		f := s.newFlight()
		if !s.begin(f) {
			_ = f.batch.Close() // an empty batch holds nothing
			return
		}
		if busy {
			// Under load let those whom the last batch has woken propose more before this one closes. It costs nothing
			// when nobody has anything to do, and saves one sync in four with 64 instances in flight.
			for range gatherRounds {
				runtime.Gosched()
				s.fill(f)
			}
		}
		if !s.waitSlot(f) || !s.submit(f) {
			return
		}
		busy = len(f.entries) > 1
		s.submitted <- f
	}
}

// begin waits for the first proposals of a flight. False when there will be none.
func (s *Store) begin(f *flight) bool {
	for s.fill(f) == 0 {
		select {
		case <-s.wake:
		case <-s.latch.done:
			return false
		case <-s.closing:
			return s.fill(f) > 0
		}
	}
	return true
}

// waitSlot goes on filling until the pipeline has room.
func (s *Store) waitSlot(f *flight) bool {
	for {
		wake := s.wake
		if s.full(f) {
			wake = nil
		}
		select {
		case s.slots <- struct{}{}:
			return s.latch.clear()
		case <-s.latch.done:
			return false
		case <-wake:
			s.fill(f)
		}
	}
}

// full says whether a batch has reached its bounds.
func (s *Store) full(f *flight) bool {
	return f.size >= s.o.Tuning.BatchBytes || len(f.entries) >= s.o.Tuning.BatchCommands
}

// fill takes what waits, up to the batch's bounds, and applies it. It returns how many it took.
func (s *Store) fill(f *flight) int {
	if s.full(f) {
		return 0
	}
	from := len(f.entries)
	n := s.take(f)
	for i := from; i < from+n; i++ {
		s.apply(f, &f.entries[i])
	}
	return n
}

func (s *Store) newFlight() *flight {
	var f *flight
	select {
	case f = <-s.spare:
	default:
		f = &flight{reached: make([]uint64, len(s.machines))}
	}
	f.batch = s.db.NewBatch()
	s.txn.begin(f.batch)
	return f
}

// reuse keeps a released flight for the next batch.
func (s *Store) reuse(f *flight) {
	clear(f.entries)
	f.entries, f.size, f.batch = f.entries[:0], 0, nil
	clear(f.reached)
	select {
	case s.spare <- f:
	default:
	}
}

// apply gives a proposal its index and applies it into the batch.
func (s *Store) apply(f *flight, e *entry) {
	m := s.machines[e.p]
	index := m.state.Applied + 1
	e.applied = m.Apply(index, e.proposal)
	f.reached[e.p] = index
	s.stats.commands.Add(1)
	if refusal, ok := e.applied.Result.Err.(*persistence.Refusal); ok {
		s.stats.refused[refusal.Code].Add(1)
	}
}

// submit writes the batch into Pebble: visible from now on, durable when it is synced. False if the store must stop.
func (s *Store) submit(f *flight) bool {
	for p, index := range f.reached {
		if index > 0 {
			s.machines[p].flush()
		}
	}
	if s.txn.err != nil {
		s.latch.trip("apply", s.dbDir, s.txn.err)
		return false
	}
	s.stats.batches.Add(1)
	if s.o.Manual {
		if err := s.db.Apply(f.batch, pdb.NoSync); err != nil {
			s.latch.trip("commit", s.dbDir, err)
			return false
		}
	} else if err := s.db.ApplyNoSyncWait(f.batch, pdb.Sync); err != nil {
		s.latch.trip("commit", s.dbDir, err)
		return false
	}
	return s.latch.clear()
}

// syncFlights waits for each batch's sync in order, then releases it.
func (s *Store) syncFlights() {
	defer s.running.Done()
	defer close(s.drained)
	for f := range s.submitted {
		if err := f.batch.SyncWait(); err != nil {
			s.latch.trip("sync", s.dbDir, err)
			return
		}
		s.stats.syncs.Add(1)
		<-s.slots
		if !s.release(f) {
			return
		}
		if err := f.batch.Close(); err != nil {
			s.latch.trip("commit", s.dbDir, fmt.Errorf("close batch: %w", err))
			return
		}
		s.reuse(f)
	}
}

// release lets out what a durable batch did: effects before results, in index order, then the waiters of reads. It
// excludes failAll: a flight is released whole or fails whole.
func (s *Store) release(f *flight) bool {
	s.releasing.Lock()
	defer s.releasing.Unlock()
	if !s.latch.clear() {
		return false
	}
	s.mu.Lock()
	if s.mu.failed {
		s.mu.Unlock()
		return false
	}
	s.mu.flights = s.mu.flights[1:]
	s.mu.Unlock()
	s.durable.raise(f.reached)
	for i := range f.entries {
		e := &f.entries[i]
		if sink := s.sinks[e.p]; sink != nil && e.applied.Effects != nil {
			(*sink)(e.applied.Effects)
		}
		e.proposal.Done(e.applied.Result)
	}
	s.durable.wake()
	return true
}

// failAll ends everything that waits, after the latch has closed or the store was left: proposals that may be in the
// log are uncertain, the others were never in it, reads did not happen.
func (s *Store) failAll(cause error) {
	s.releasing.Lock()
	defer s.releasing.Unlock()
	s.mu.Lock()
	if s.mu.failed {
		s.mu.Unlock()
		return
	}
	s.mu.failed = true
	stopped := fmt.Errorf("%w: %w", persistence.ErrStopped, cause)
	s.mu.closed = fmt.Errorf("%w: %w", persistence.ErrNotLeader, stopped)
	s.mu.cause = stopped
	flights, queue := s.mu.flights, s.mu.queue
	s.mu.flights, s.mu.queue = nil, nil
	s.mu.Unlock()
	close(s.stopped)
	uncertain := fmt.Errorf("%w: %w", persistence.ErrUncertain, cause)
	for _, f := range flights {
		s.failEntries(f, uncertain)
	}
	for i := range queue {
		queue[i].proposal.Done(persistence.Result{Err: fmt.Errorf("%w: %w", persistence.ErrNotLeader, stopped)})
	}
	s.durable.fail(stopped)
	s.views.fail(stopped)
}

func (s *Store) failEntries(f *flight, err error) {
	for i := range f.entries {
		f.entries[i].proposal.Done(persistence.Result{Err: err})
	}
}

// watch ends what waits when the latch closes, even if Pebble never answers.
func (s *Store) watch() {
	defer s.running.Done()
	select {
	case <-s.latch.done:
		s.failAll(s.latch.cause())
	case <-s.closed:
	}
}
