//go:build invariants

package actors

import (
	"container/list"
	"testing"
)

// TestAWrongCountIsFound breaks what counts and lists promise, one at a time.
func TestAWrongCountIsFound(t *testing.T) {
	listed := func(bytes ...int64) *residency {
		r := newResidency(&engine{}, 1<<20)
		r.e.memory.used.Store(100)
		for _, n := range bytes {
			x := &parked{bytes: n, owner: r}
			x.element = r.mu.order.PushBack(x)
			r.mu.bytes += n
		}
		return r
	}
	active := func(n int64) *activator {
		a := newActivator(nil, nil, 1)
		a.shards[3].entries["a"] = &activation{}
		a.active.Store(n)
		return a
	}
	for what, verify := range map[string]func(){
		"an identity that is not counted":   active(0).verify,
		"an identity that is counted twice": active(2).verify,
		"a request that left twice": func() {
			var d admission
			d.leave(1)
		},
		"memory that was given back twice": func() { new(memory).Back(1) },
		"a wait that is not counted": func() {
			b := &memory{}
			b.used.Store(1)
			b.mu.queue = []memoryAsk{{bytes: 1}}
			b.advance()
		},
		"residents beyond the memory": listed(60, 60).verify,
		"bytes of nothing":            func() { r := listed(60); r.mu.bytes = 50; r.verify() },
		"a resident out of its place": func() {
			r := listed(60)
			r.mu.order.Front().Value.(*parked).element = &list.Element{}
			r.verify()
		},
		"residents out of their order": func() {
			r := listed(20, 20)
			r.mu.order.Front().Value.(*parked).since = 1
			r.verify()
		},
		"a resident after the end": func() { r := listed(60); r.mu.off = true; r.verify() },
	} {
		t.Run(what, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it is not found")
				}
			}()
			verify()
		})
	}
	active(1).verify()
	listed(40, 60).verify()
}
