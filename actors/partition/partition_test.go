package partition

import (
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// TestASlotIsKeptWhenTooManyResultsWait to be recorded.
func TestASlotIsKeptWhenTooManyResultsWait(t *testing.T) {
	var w answering
	for i := range answeringMax {
		if !w.add(1) {
			t.Fatalf("result %d keeps its slot", i)
		}
	}
	if w.add(1) {
		t.Error("one more than the most does not keep its slot")
	}
	w.remove(1)
	w.remove(1)
	if !w.add(1) {
		t.Error("a slot is kept although there is room again")
	}
	if w.add(answeringBytesMax) {
		t.Error("too many bytes do not keep a slot")
	}
}

// The dispatcher is told of a release while the instance gives its lease back in quiet. The journal may refuse that: then
// nothing else would tell the dispatcher that the instance is not held, and its timers would wait for ever.
func TestF50_a_release_beside_a_quiet_give_back_is_told(t *testing.T) {
	s := &serving{p: &Partition{}, d: dispatch.New(dispatch.Config{}, 0, false)}
	s.p.givebacks.add(7)
	released := &persistence.Effects{Leases: []persistence.LeaseEffect{{ID: "a", IID: 7}}}
	if rest := s.withoutQuiet(released); len(rest.Leases) != 1 {
		t.Error("the release is taken for the give-back")
	}
	givenBack := &persistence.Effects{Leases: []persistence.LeaseEffect{{ID: "a", IID: 7, GivenBack: true}, {ID: "b", IID: 8}}}
	if rest := s.withoutQuiet(givenBack); len(rest.Leases) != 1 || rest.Leases[0].IID != 8 {
		t.Errorf("the dispatcher is told of %+v", rest.Leases)
	}
}

// TestTheGateIsOneForTheNode: turns and activities pass it in the order in which they asked.
func TestTheGateIsOneForTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewProbation(clock.Real, 10)
		p, q := &Partition{probation: g}, &Partition{probation: g}
		var mu sync.Mutex
		var order []string
		releases := map[string]func(){}
		admit := func(p *Partition, name string, attempts uint32) {
			p.AdmitSuspect(attempts, func(release func()) {
				mu.Lock()
				defer mu.Unlock()
				order = append(order, name)
				releases[name] = release
			})
		}
		want := func(names ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(order, names) {
				t.Fatalf("admitted %v, want %v", order, names)
			}
		}
		admit(p, "light", 0)
		admit(q, "heavy", 7)
		admit(p, "second", 0)
		want("light")
		ticket, now := g.ask(0, func(uint64) { t.Error("a withdrawn one is admitted") })
		if now {
			t.Error("it overtakes")
		}
		g.done(ticket)
		releases["light"]()
		releases["light"]() // twice is once
		want("light", "heavy")
		advance(dispatch.AloneMs*time.Millisecond - time.Millisecond)
		want("light", "heavy")
		advance(time.Millisecond)
		want("light", "heavy", "second")
		releases["heavy"]()
		releases["second"]()
	})
}

// TestAnActivityWhoseInputIsDamagedIsNotRunWithout: it is counted, and poison in the end.
func TestAnActivityWhoseInputIsDamagedIsNotRunWithout(t *testing.T) {
	key := persistence.WorkKey{IID: 1, Execution: 1, Event: 2}
	part := func(events []byte) persistence.Reader {
		return partsReader{parts: []persistence.StoredPart{{Execution: 1, FirstEvent: 1, Count: 2, Events: events}}}
	}
	list, err := proto.Marshal(&turnpb.EventList{Events: []*turnpb.Event{{
		Id: 2, Kind: &turnpb.Event_ActivityScheduled{ActivityScheduled: &turnpb.ActivityScheduled{Name: "a", Input: []byte("in")}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	find := func(r persistence.Reader) (string, error) {
		p := &partInputs{key: partKey{key.IID, key.Execution, 1}}
		err := p.read(r)
		if _, ok := p.events[key.Event]; err == nil && !ok {
			err = p.missing(key)
		}
		return string(p.events[key.Event]), err
	}
	if input, err := find(part(list)); err != nil || input != "in" {
		t.Errorf("read %q, %v", input, err)
	}
	for name, r := range map[string]persistence.Reader{
		"not an event list": part([]byte{0xff}), "no such event": part(nil), "no such part": partsReader{},
	} {
		if _, err := find(r); !errors.Is(err, persistence.ErrCorrupt) {
			t.Errorf("%s: %v, want damage", name, err)
		}
	}
}

// partsReader reads nothing but parts.
type partsReader struct {
	persistence.Reader
	parts []persistence.StoredPart
}

func (r partsReader) Parts(_ persistence.Incarnation, _, from uint64, yield func(persistence.StoredPart) bool) error {
	for _, p := range r.parts {
		if p.FirstEvent >= from && !yield(p) {
			return nil
		}
	}
	return nil
}

func (r partsReader) Head(persistence.Incarnation) (persistence.Head, bool, error) {
	return persistence.Head{}, true, nil
}

// TestTheTimerIsSetForADayAtMost: a wait of centuries would not fit into a duration.
func TestTheTimerIsSetForADayAtMost(t *testing.T) {
	const now = 1_900_000_000_000
	for wake, want := range map[int64]time.Duration{
		now + 1: time.Millisecond, now + 86_400_000: armMost, now + 86_400_001: armMost,
		now + math.MaxInt64/1_000_000: armMost, now + math.MaxInt64/1_000_000 + 1: armMost, dispatch.Never - 1: armMost,
	} {
		if got := armFor(now, wake); got != want {
			t.Errorf("a timer for %d is set to ring after %v, want %v", wake, got, want)
		}
	}
}

// advance lets time pass.
func advance(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
