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
	durable bool // wait until what was read is durable
	number  uint64
	fired   atomic.Bool
	// reading is set while read runs; only the goroutine that runs it may end the view then. The queue's lock guards it.
	reading bool
}

// end calls done, once.
func (v *view) end(err error) {
	if v.fired.CompareAndSwap(false, true) {
		v.done(err)
	}
}

// lane is a kind of reads that has goroutines and a bound of its own: an instance's load does not wait behind what clients
// read, however much that is.
type lane uint8

const (
	laneLoad lane = iota
	laneView

	lanes
)

// viewQueue holds the reads that wait, and those that run, so that none is forgotten when the store stops.
type viewQueue struct {
	max int // in each lane
	// apart: there is a lane for each kind. A store that is driven by hand has one: its reads run in the order in which they
	// came.
	apart bool
	mu    sync.Mutex
	// waiting are served in order, each lane's beside the other's; more says that there is one.
	waiting [lanes][]*view
	more    [lanes]*sync.Cond
	// running are with a reader or wait for durability.
	running map[*view]struct{}
	added   uint64
	failed  error
}

func newViewQueue(max int, apart bool) *viewQueue {
	q := &viewQueue{max: max, apart: apart, running: map[*view]struct{}{}}
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
	q.added++
	v.number = q.added
	q.waiting[l] = append(q.waiting[l], v)
	q.mu.Unlock()
	q.more[l].Signal()
}

func (q *viewQueue) lane(v *view) lane {
	if v.durable && q.apart {
		return laneView
	}
	return laneLoad
}

// next waits for a read of a lane, and takes the oldest; nil if the store has stopped.
func (q *viewQueue) next(l lane) *view {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting[l]) == 0 && q.failed == nil {
		q.more[l].Wait()
	}
	return q.take(l)
}

// oldest takes the oldest read of a queue with one lane; nil if there is none, or if the store has stopped.
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

// beginRead says that read is to run. The error is that of a queue that has failed: then it must not.
func (q *viewQueue) beginRead(v *view) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	v.reading = q.failed == nil
	return q.failed
}

// endRead says that read has returned. The error is that of a queue that failed meanwhile.
func (q *viewQueue) endRead(v *view) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	v.reading = false
	return q.failed
}

// finish ends a read that next or oldest gave out.
func (q *viewQueue) finish(v *view, err error) {
	q.mu.Lock()
	delete(q.running, v)
	q.mu.Unlock()
	v.end(err)
}

// fail ends all reads and refuses new ones. A view whose read runs is ended by who runs it, when it returns: until then
// the read uses what belongs to the caller.
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

// serveOne reads one snapshot and has done called: for a view when the index that the snapshot holds is durable, since
// Pebble shows a batch before it is synced.
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
