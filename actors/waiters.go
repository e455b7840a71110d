package actors

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/turnstone-dev/turnstone/persistence"
)

// waiters are the calls that wait for an instance's end, in the order in which they came. Released effects end the waits, so
// no wait ends before the end is durable. The last ends are kept for calls that come a little later: a short instance may
// end before its starter learns that it has started. An id ends once, so a kept end stays true.
type waiters struct {
	seed   maphash.Seed
	shards [16]waiterShard
}

type waiterShard struct {
	mu     sync.Mutex
	byID   map[string][]*endWaiter
	recent recentEnds
}

// recentEnds has the last ends in a ring; the oldest is at next.
type recentEnds struct {
	ring [recentEndsMax]persistence.EndEffect
	next int
	at   map[string]int
}

const (
	recentEndsMax     = 64 // in each shard
	recentEndBytesMax = 4 << 10
)

func (r *recentEnds) note(end persistence.EndEffect) {
	if cap(end.Last) > recentEndBytesMax {
		return
	}
	if old := r.ring[r.next].ID; old != "" && r.at[old] == r.next {
		delete(r.at, old)
	}
	r.ring[r.next], r.at[end.ID] = end, r.next
	r.next = (r.next + 1) % recentEndsMax
}

func (r *recentEnds) find(id string) (persistence.EndEffect, bool) {
	i, ok := r.at[id]
	return r.ring[i], ok
}

type endWaiter struct {
	f       func(persistence.EndEffect)
	damaged func(error)
}

func (w *waiters) init() {
	w.seed = maphash.MakeSeed()
	for i := range w.shards {
		w.shards[i].byID = map[string][]*endWaiter{}
		w.shards[i].recent.at = map[string]int{}
	}
}

func (w *waiters) shard(id string) *waiterShard {
	return &w.shards[maphash.String(w.seed, id)%uint64(len(w.shards))]
}

// add adds a waiter, or calls it at once if the end is one of the kept ones.
func (w *waiters) add(id string, f func(persistence.EndEffect), damaged func(error)) (cancel func(), told bool) {
	s := w.shard(id)
	s.mu.Lock()
	if end, ok := s.recent.find(id); ok {
		s.mu.Unlock()
		f(end)
		return func() {}, true
	}
	waiter := &endWaiter{f, damaged}
	s.byID[id] = append(s.byID[id], waiter)
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		rest := slices.DeleteFunc(s.byID[id], func(other *endWaiter) bool { return other == waiter })
		if s.byID[id] = rest; len(rest) == 0 {
			delete(s.byID, id)
		}
	}, false
}

func (w *waiters) ended(end persistence.EndEffect) {
	s := w.shard(end.ID)
	s.mu.Lock()
	s.recent.note(end)
	woken := s.byID[end.ID]
	delete(s.byID, end.ID)
	s.mu.Unlock()
	for _, waiter := range woken {
		waiter.f(end)
	}
}

// damaged passes the damage of an instance to its waiters. They stay registered, because the instance may be repaired, and
// end.
func (w *waiters) damaged(id string, err error) {
	s := w.shard(id)
	s.mu.Lock()
	told := slices.Clone(s.byID[id])
	s.mu.Unlock()
	for _, waiter := range told {
		waiter.damaged(err)
	}
}
