package pebble

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/persistence"
)

// view is one read that waits or runs.
type view struct {
	p       persistence.Partition
	read    func(persistence.Reader) error
	done    func(error)
	durable bool // done is called when the rows that read saw are durable
	number  uint64
	ended   atomic.Bool
	// reading is set while read runs. Meanwhile only the goroutine that runs it may end the view. The queue's lock guards it.
	reading bool
}

// end calls done, once.
func (v *view) end(err error) {
	if v.ended.CompareAndSwap(false, true) {
		v.done(err)
	}
}

// lane is a kind of reads with goroutines and a bound of its own, so that an instance's load does not wait behind the reads
// of clients.
type lane uint8

const (
	laneLoad lane = iota
	laneView

	lanes
)

// viewQueue holds the reads that wait and those that run, so that all of them are answered when the store stops.
type viewQueue struct {
	max int // in each lane
	// separate: there is a lane for each kind. A manually driven store has one lane, so that its reads run in the order in
	// which they came.
	separate bool
	mu       sync.Mutex
	// waiting has the reads of each lane, oldest first; more signals that there is one.
	waiting [lanes][]*view
	more    [lanes]*sync.Cond
	// running reads are being served or wait for durability.
	running    map[*view]struct{}
	lastNumber uint64
	failed     error
}

func newViewQueue(max int, apart bool) *viewQueue {
	q := &viewQueue{max: max, separate: apart, running: map[*view]struct{}{}}
	for l := range q.more {
		q.more[l] = sync.NewCond(&q.mu)
	}
	return q
}

func (q *viewQueue) add(v *view) {
	q.mu.Lock()
	err := q.failed
	l := q.lane(v)
	if err == nil && len(q.waiting[l]) >= q.max {
		err = persistence.ErrBusy
	}
	if err != nil {
		q.mu.Unlock()
		v.end(err)
		return
	}
	q.lastNumber++
	v.number = q.lastNumber
	q.waiting[l] = append(q.waiting[l], v)
	q.mu.Unlock()
	q.more[l].Signal()
}

func (q *viewQueue) lane(v *view) lane {
	if v.durable && q.separate {
		return laneView
	}
	return laneLoad
}

// next waits for a read of a lane, and returns the oldest; nil if the store has stopped.
func (q *viewQueue) next(l lane) *view {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting[l]) == 0 && q.failed == nil {
		q.more[l].Wait()
	}
	return q.take(l)
}

// oldest returns the oldest read of a queue with one lane; nil if there is none, or if the store has stopped.
func (q *viewQueue) oldest() *view {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.take(laneLoad)
}

func (q *viewQueue) take(l lane) *view {
	if q.failed != nil || len(q.waiting[l]) == 0 {
		return nil
	}
	v := q.waiting[l][0]
	q.waiting[l][0] = nil
	q.waiting[l] = q.waiting[l][1:]
	q.running[v] = struct{}{}
	return v
}

// beginRead says that read is about to run. It returns the error of a queue that has failed; then read must not run.
func (q *viewQueue) beginRead(v *view) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	v.reading = q.failed == nil
	return q.failed
}

// endRead says that read has returned. It returns the error of a queue that failed meanwhile.
func (q *viewQueue) endRead(v *view) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	v.reading = false
	return q.failed
}

// finish ends a read that next or oldest returned.
func (q *viewQueue) finish(v *view, err error) {
	q.mu.Lock()
	delete(q.running, v)
	q.mu.Unlock()
	v.end(err)
}

// fail ends all reads and refuses new ones. A view whose read runs is ended by the goroutine that runs it, when read
// returns: until then read uses memory of the caller.
func (q *viewQueue) fail(err error) {
	q.mu.Lock()
	if q.failed == nil {
		q.failed = err
	}
	all := slices.Concat(q.waiting[:]...)
	q.waiting = [lanes][]*view{}
	for v := range q.running {
		if !v.reading {
			all = append(all, v)
			delete(q.running, v)
		}
	}
	q.mu.Unlock()
	for _, more := range q.more {
		more.Broadcast()
	}
	slices.SortFunc(all, func(a, b *view) int { return cmp.Compare(a.number, b.number) })
	for _, v := range all {
		v.end(err)
	}
}

// forget drops all reads without a call, and refuses new ones.
func (q *viewQueue) forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failed = fmt.Errorf("%w: %w", persistence.ErrStopped, errDropped)
	q.waiting, q.running = [lanes][]*view{}, map[*view]struct{}{}
}

func (q *viewQueue) pending() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.ContainsFunc(q.waiting[:], func(waiting []*view) bool { return len(waiting) > 0 })
}

// View implements persistence.Journal.
func (s *Store) View(p persistence.Partition, read func(persistence.Reader) error, done func(error)) {
	s.views.add(&view{p: p, read: read, done: done, durable: true})
}

// Load implements persistence.Journal.
func (s *Store) Load(p persistence.Partition, read func(persistence.Reader) error, done func(error)) {
	s.views.add(&view{p: p, read: read, done: done})
}

// serve runs the reads of a lane until the store stops.
func (s *Store) serve(l lane) {
	defer s.running.Done()
	for {
		v := s.views.next(l)
		if v == nil {
			return
		}
		s.serveOne(v)
	}
}

// serveOne reads one snapshot and ends the read. It ends a view when the snapshot's index is durable, since Pebble shows a
// batch before it is synced.
func (s *Store) serveOne(v *view) {
	applied, err := s.core.read(v.p, func(r persistence.Reader) error {
		if err := s.views.beginRead(v); err != nil {
			return err
		}
		err := v.read(r)
		if stopped := s.views.endRead(v); err == nil {
			err = stopped
		}
		return err
	})
	if err != nil || !v.durable {
		s.core.stats.loads.Add(1)
		s.views.finish(v, err)
		return
	}
	s.core.stats.views.Add(1)
	s.core.durable.when(v.p, applied, func(err error) { s.views.finish(v, err) })
}
