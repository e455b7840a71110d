package actors

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/turnstone-dev/turnstone/persistence"
)

// waiters are those who wait for an instance's end, in the order in which they came. They are woken by released effects,
// so never before the end is durable.
type waiters struct {
	seed   maphash.Seed
	shards [16]waiterShard
}

type waiterShard struct {
	mu   sync.Mutex
	byID map[string][]*endWaiter
}

type endWaiter struct{ f func(persistence.EndEffect) }

func (w *waiters) init() {
	w.seed = maphash.MakeSeed()
	for i := range w.shards {
		w.shards[i].byID = map[string][]*endWaiter{}
	}
}

func (w *waiters) shard(id string) *waiterShard {
	return &w.shards[maphash.String(w.seed, id)%uint64(len(w.shards))]
}

func (w *waiters) add(id string, f func(persistence.EndEffect)) (cancel func()) {
	s, waiter := w.shard(id), &endWaiter{f}
	s.mu.Lock()
	s.byID[id] = append(s.byID[id], waiter)
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		rest := slices.DeleteFunc(s.byID[id], func(other *endWaiter) bool { return other == waiter })
		if s.byID[id] = rest; len(rest) == 0 {
			delete(s.byID, id)
		}
	}
}

func (w *waiters) ended(end persistence.EndEffect) {
	s := w.shard(end.ID)
	s.mu.Lock()
	woken := s.byID[end.ID]
	delete(s.byID, end.ID)
	s.mu.Unlock()
	for _, waiter := range woken {
		waiter.f(end)
	}
}
