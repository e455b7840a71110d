package actors

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// TestAMessageThatTheJournalHadNoRoomForIsNotProposedWithoutAPause: not while its instance's code runs, nor when it
// waits for something else.
func TestAMessageThatTheJournalHadNoRoomForIsNotProposedWithoutAPause(t *testing.T) {
	const refusals = 5
	for _, c := range []struct {
		name     string
		accepted time.Duration // how long it takes
		start    func(w *world) (end func())
	}{
		{"code runs", (1 + refusals) * step.AcceptAfter, func(w *world) func() {
			gate := make(chan struct{})
			w.attach(basics().orchestration("block", func(c *replay.Context, _ []byte) ([]byte, error) {
				<-gate
				return waiter(c, nil)
			}))
			if err := w.ask(arrival.StartRequest{ID: "a", Name: "block"}).wait(); err != errNoAnswer {
				w.t.Fatalf("start: %v", err)
			}
			pass(step.AcceptAfter)
			return func() { close(gate) }
		}},
		{"nobody has the handler", refusals * step.BusyPause, func(w *world) func() {
			w.start("a", "wait", "")
			return func() { w.attach(basics()) }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				end := c.start(w)
				w.take(busyFor[*persistence.Enqueue](refusals))
				event := w.raise("a", "go", "x")
				if err := event.wait(); err != errNoAnswer {
					w.t.Fatalf("raise: %v", err)
				}
				pass(c.accepted - time.Millisecond)
				if n := w.journal.count(&persistence.Enqueue{}); n > refusals {
					w.t.Errorf("proposed %d times in %v, want at most %d", n, c.accepted-time.Millisecond, refusals)
				}
				if err := event.wait(); err != errNoAnswer {
					w.t.Errorf("answered early: %v", err)
				}
				pass(time.Millisecond)
				if err := event.wait(); err != nil {
					w.t.Errorf("raise: %v", err)
				}
				end()
				synctest.Wait()
				w.completed("a", "x")
			})
		})
	}
}
