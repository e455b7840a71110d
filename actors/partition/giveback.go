package partition

import (
	"slices"
	"sync"

	"github.com/turnstone-dev/turnstone/persistence"
)

// quietGivebacks are instances of a partition that give a turn lease back because they have nothing to do. The effect of
// that must not lead to a tell. Otherwise an instance that is not in memory would be loaded, find nothing to do, give the
// lease back, and get the next tell for that.
type quietGivebacks struct {
	mu  sync.Mutex
	ids map[persistence.Incarnation]struct{}
}

// add may be called from any goroutine, and so may drop.
func (q *quietGivebacks) add(iid persistence.Incarnation) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ids == nil {
		q.ids = map[persistence.Incarnation]struct{}{}
	}
	q.ids[iid] = struct{}{}
}

func (q *quietGivebacks) drop(iid persistence.Incarnation) (was bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, was = q.ids[iid]
	delete(q.ids, iid)
	return was
}

// GiveBackQuietly notes that an instance is about to give back a turn lease because it has nothing to do.
func (p *Partition) GiveBackQuietly(iid persistence.Incarnation) { p.givebacks.add(iid) }

// GiveBackRefused removes that note, because the journal has refused to take the lease back.
func (p *Partition) GiveBackRefused(iid persistence.Incarnation) { p.givebacks.drop(iid) }

// withoutQuiet returns effects without the leases that instances gave back quietly. It keeps other changes of these
// instances, such as a release by an operator. The effects are shared, so it copies them.
func (s *serving) withoutQuiet(e *persistence.Effects) *persistence.Effects {
	for i := range e.Leases {
		l := &e.Leases[i]
		if !l.GivenBack || l.NotBeforeMs > 0 || !s.p.givebacks.drop(l.IID) {
			continue
		}
		s.d.GivenBack(l.IID)
		rest := *e
		rest.Leases = slices.Delete(slices.Clone(e.Leases), i, i+1)
		return s.withoutQuiet(&rest)
	}
	return e
}
