package partition

import (
	"slices"
	"sync"

	"github.com/turnstone-dev/turnstone/persistence"
)

// quietGivebacks are instances of a partition that give a turn lease back because nothing is left to do. The effect of that
// must not have them told: without memory for their machines they would be loaded, find nothing, give the lease back, and
// be told again.
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

// GiveBackQuietly notes that an instance is about to give back a turn lease because nothing is left to do.
func (p *Partition) GiveBackQuietly(iid persistence.Incarnation) { p.givebacks.add(iid) }

// GiveBackRefused takes that note back: the journal has refused it.
func (p *Partition) GiveBackRefused(iid persistence.Incarnation) { p.givebacks.drop(iid) }

// withoutQuiet takes those leases out of effects of which the dispatcher is not to be told. It keeps all else that was
// written of the instance meanwhile, such as a release by an operator. The effects are shared, so it copies them.
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
