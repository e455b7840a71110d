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
	// reading, under the queue's lock: read runs, and nobody else may end the view.
	reading bool
}

// end calls done, once.
func (v *view) end(err error) {
	if v.fired.CompareAndSwap(false, true) {
		v.done(err)
	}
}

// viewQueue holds the reads that wait, and those that run, so that none is forgotten when the store stops.
type viewQueue struct {
	max  int
	mu   sync.Mutex
	cond *sync.Cond
	// waiting are served in order; running are with a reader or wait for durability.
	waiting []*view
	running map[*view]struct{}
	added   uint64
	failed  error
}

func newViewQueue(max int) *viewQueue {
	q := &viewQueue{max: max, running: map[*view]struct{}{}}
	q.cond = sync.NewCond(&q.mu)
	return q
}

func (q *viewQueue) add(v *view) {
	q.mu.Lock()
	err := q.failed
	if err == nil && len(q.waiting) >= q.max {
		err = persistence.ErrBusy
	}
	if err != nil {
		q.mu.Unlock()
		v.end(err)
		return
	}
	q.added++
	v.number = q.added
	q.waiting = append(q.waiting, v)
	q.mu.Unlock()
	q.cond.Signal()
}

// next takes the oldest waiting read; nil if there is none and wait is false, or if the store has stopped.
func (q *viewQueue) next(wait bool) *view {
	q.mu.Lock()
	defer q.mu.Unlock()
	for wait && len(q.waiting) == 0 && q.failed == nil {
		q.cond.Wait()
	}
	if q.failed != nil || len(q.waiting) == 0 {
		return nil
	}
	v := q.waiting[0]
	q.waiting[0] = nil
	q.waiting = q.waiting[1:]
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

// finish ends a read that next gave out.
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
	all := q.waiting
	q.waiting = nil
	for v := range q.running {
		if !v.reading {
			all = append(all, v)
			delete(q.running, v)
		}
	}
	q.mu.Unlock()
	q.cond.Broadcast()
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
	q.waiting, q.running = nil, map[*view]struct{}{}
}

func (q *viewQueue) pending() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) > 0
}

// View implements persistence.Journal.
func (s *Store) View(p persistence.Partition, read func(persistence.Reader) error, done func(error)) {
	s.views.add(&view{p: p, read: read, done: done, durable: true})
}

// Load implements persistence.Journal.
func (s *Store) Load(p persistence.Partition, read func(persistence.Reader) error, done func(error)) {
	s.views.add(&view{p: p, read: read, done: done})
}

// serve runs reads until the store stops.
func (s *Store) serve() {
	defer s.running.Done()
	for {
		v := s.views.next(true)
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
