package dispatch

import (
	"fmt"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// drainWorld has the instances that have ended with watchers, and how many batches each is away from having none.
type drainWorld struct {
	d     *Dispatcher
	left  map[persistence.Incarnation]int
	fails int
	reads int
	trace []string
}

// run does what the dispatcher asks for up to a time.
func (w *drainWorld) run(from, until int64) {
	for now := from; now < until; now++ {
		w.d.Tick(now)
		for _, a := range w.d.Actions() {
			w.do(now, a)
		}
	}
}

func (w *drainWorld) do(now int64, a Action) {
	switch a.Kind {
	case ScanDraining:
		if w.reads++; w.reads == 1 {
			w.d.ReadFailed(now, a)
			return
		}
		var page []persistence.Incarnation
		for iid := a.After + 1; iid < 100 && len(page) < a.Max; iid++ {
			if w.left[iid] > 0 {
				page = append(page, iid)
			}
		}
		w.d.DrainingPage(page)
	case DrainWatchers:
		w.trace = append(w.trace, fmt.Sprint(a.IID))
		if w.fails > 0 {
			w.fails--
			w.d.DrainFailed(now, a.IID)
			return
		}
		if w.left[a.IID]--; w.left[a.IID] > 0 {
			w.d.Effects(now, &persistence.Effects{Draining: []persistence.Incarnation{a.IID}})
		}
		w.d.Drained()
	case ScanStreams:
		w.d.StreamsPage(nil)
	}
}

// TestWatchersAreToldInBatches: all that were there at the open, and those that effects bring; a batch that fails is repeated.
func TestWatchersAreToldInBatches(t *testing.T) {
	w := &drainWorld{
		d: New(Config{Draining: true, PageRows: 2}, 0, false), fails: 2,
		left: map[persistence.Incarnation]int{1: 1, 2: 3, 5: 1, 8: 1, 9: 2},
	}
	w.run(0, 1000)
	w.left[7] = 2
	w.d.Effects(1000, &persistence.Effects{Draining: []persistence.Incarnation{7}})
	w.run(1000, 2000)
	for iid, left := range w.left {
		if left != 0 {
			t.Errorf("incarnation %d has %d batches left after %v", iid, left, w.trace)
		}
	}
	if len(w.trace) != 12 {
		t.Errorf("batches %v, want 10 and 2 that failed", w.trace)
	}
	reads := w.reads
	if w.run(2000, 3000); w.reads != reads {
		t.Errorf("it reads on: %d times, then %d", reads, w.reads)
	}
}

// TestWithoutWatchersNothingIsRead: an open without ended instances that have watchers asks for none.
func TestWithoutWatchersNothingIsRead(t *testing.T) {
	w := &drainWorld{d: New(Config{}, 0, false)}
	if w.run(0, 1000); w.reads > 0 || len(w.trace) > 0 {
		t.Errorf("%d reads, batches %v", w.reads, w.trace)
	}
}
