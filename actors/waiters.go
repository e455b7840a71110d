package actors

import (
	"hash/maphash"
	"sync"

	"github.com/turnstone-dev/turnstone/persistence"
)

// waiters are those who wait for an instance's end. They are woken by released effects, so never before the end is
// durable.
type waiters struct {
	seed   maphash.Seed
	shards [16]struct {
		sync.Mutex
		byID map[string]map[*endWaiter]struct{}
	}
}

type endWaiter struct{ f func(persistence.EndEffect) }

func (w *waiters) init() {
	w.seed = maphash.MakeSeed()
	for i := range w.shards {
		w.shards[i].byID = map[string]map[*endWaiter]struct{}{}
	}
}

func (w *waiters) add(id string, f func(persistence.EndEffect)) (cancel func()) {
	s := &w.shards[maphash.String(w.seed, id)%uint64(len(w.shards))]
	waiter := &endWaiter{f}
	s.Lock()
	defer s.Unlock()
	if s.byID[id] == nil {
		s.byID[id] = map[*endWaiter]struct{}{}
	}
	s.byID[id][waiter] = struct{}{}
	return func() {
		s.Lock()
		defer s.Unlock()
		delete(s.byID[id], waiter)
		if len(s.byID[id]) == 0 {
			delete(s.byID, id)
		}
	}
}

func (w *waiters) ended(end persistence.EndEffect) {
	s := &w.shards[maphash.String(w.seed, end.ID)%uint64(len(w.shards))]
	s.Lock()
	woken := s.byID[end.ID]
	delete(s.byID, end.ID)
	s.Unlock()
	for waiter := range woken {
		waiter.f(end)
	}
}
