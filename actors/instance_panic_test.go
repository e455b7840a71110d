package actors

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// flaky is a registry that panics for a number of lookups, as a defect in an instance's own handling would.
type flaky struct {
	*registry
	panics atomic.Int64
}

func (f *flaky) Orchestration(name, version string) (string, replay.Func, bool) {
	if f.panics.Add(-1) >= 0 {
		panic("a defect")
	}
	return f.registry.Orchestration(name, version)
}

// TestAnActorThatPanicsIsStartedAgain and loses nothing; one that goes on panicking answers whoever waits.
func TestAnActorThatPanicsIsStartedAgain(t *testing.T) {
	for _, c := range []struct {
		panics int64
		lost   bool
	}{{1, false}, {panicsMax, false}, {panicsMax + 2, true}} {
		inWorldForPanics(t, func(w *world, f *flaky) {
			f.panics.Store(c.panics)
			start := w.ask(StartRequest{ID: "a", Name: "wait"})
			err := start.wait()
			if c.lost != (err != nil) || c.lost && !errors.Is(err, persistence.ErrUncertain) {
				t.Errorf("%d panics: %v", c.panics, err)
			}
			f.panics.Store(0)
			pass(time.Second)
			if c.lost {
				w.start("a", "wait", "")
			}
			f.panics.Store(1)
			if err := w.raise("a", "go", "x").wait(); err != nil {
				t.Errorf("raise: %v", err)
			}
			f.panics.Store(0)
			pass(time.Second)
			w.completed("a", "x")
		})
	}
}

// inWorldForPanics is a world in which restarts are expected.
func inWorldForPanics(t *testing.T, f func(w *world, f *flaky)) {
	t.Helper()
	for _, resident := range []int64{0, -1} {
		inOneWorld(t, Config{ResidentBytes: resident}, func(w *world) {
			w.panicsExpected = true
			registry := &flaky{registry: basics()}
			if _, err := w.e.Attach(Consumer{ID: "c", Handlers: registry, TurnSlots: 2, ActivitySlots: 2}); err != nil {
				t.Fatal(err)
			}
			f(w, registry)
		})
	}
}
