package pebble

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestKeyFilterIsNeverWrongAboutWhatIsThere adds many keys over several layers.
func TestKeyFilterIsNeverWrongAboutWhatIsThere(t *testing.T) {
	k := newKnownKeys()
	key := func(i int) []byte { return appendName(nil, 0, fmt.Sprint("id ", i)) }
	const n = 60_000
	for i := range n {
		k.wrote(key(i))
	}
	if k.absent(key(n)) {
		t.Fatal("a filter that is not complete knows that a key is absent")
	}
	k.complete.Store(true)
	wrong := 0
	for i := range n {
		if k.absent(key(i)) {
			t.Fatalf("key %d is there", i)
		}
		if !k.absent(key(n + i)) {
			wrong++
		}
	}
	if wrong > n/100 {
		t.Fatalf("%d of %d absent keys may be there", wrong, n)
	}
}

// TestKnownKeysSurviveReopening asks for ids and request keys from before the open.
func TestKnownKeysSurviveReopening(t *testing.T) {
	fs := vfs.NewMem()
	for round := range 3 {
		s := live(t, Options{FS: fs, Partitions: 2})
		for i := range 50 {
			id := fmt.Sprintf("i-%d", i)
			r := await(s, s.PartitionOf(id), persistence.Proposal{TimeMs: 1, Command: &persistence.StartInstance{ID: id, Name: "o", Request: persistence.Request{Key: fmt.Sprint("k", i%2)}}})
			if r.Err != nil || r.Repeated != (round > 0) {
				t.Fatalf("round %d: %+v", round, r)
			}
			r = await(s, s.PartitionOf(id), persistence.Proposal{TimeMs: 1, Command: &persistence.StartInstance{ID: id, Name: "o", Request: persistence.Request{Key: "other"}}})
			if !errors.Is(r.Err, persistence.ErrAlreadyExists) {
				t.Fatalf("round %d: %+v", round, r)
			}
			if !s.MayExist(id) {
				t.Fatalf("round %d: %s is there", round, id)
			}
		}
		if s.MayExist("never") && s.MayExist("never either") && s.MayExist("nor this") {
			t.Fatal("every id may exist")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWorkCacheIsBounded schedules more work than the cache holds and completes all of it.
func TestWorkCacheIsBounded(t *testing.T) {
	r := newRig(t, Options{Partitions: 1, Tuning: Tuning{HeadCache: 3}})
	r.begin()
	start := fusedStart("i")
	start.Segment = part(1, 20)
	for e := uint64(3); e <= 20; e++ {
		start.Work = append(start.Work, persistence.NewWork{Event: e, Name: "a"})
	}
	iid := r.ok(0, start).IID
	if n := len(r.s.core.machines[0].works.rows); n != 3 {
		t.Fatalf("the cache holds %d rows", n)
	}
	for e := uint64(2); e <= 20; e++ {
		r.ok(0, &persistence.CompleteWork{Key: persistence.WorkKey{IID: iid, Execution: 1, Event: e}})
	}
	if n := len(r.s.core.machines[0].works.rows); n != 0 || r.dump(0).Heads[0].Work != 0 {
		t.Fatalf("the cache holds %d rows", n)
	}
}
