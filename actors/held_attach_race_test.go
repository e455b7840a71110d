package actors

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/persistence"
)

// lastAbandon hands the abandon of the last try by the clock to f, which must have it proposed.
func (w *world) lastAbandon(f func(p persistence.Partition, propose func())) {
	seen := 0
	w.take(func(p persistence.Partition, proposal persistence.Proposal) bool {
		c, ok := proposal.Command.(*persistence.AbandonTurn)
		if ok && c.Reason != "" {
			seen++
		}
		if !ok || c.Reason == "" || seen != step.HeldTriesMax {
			return false
		}
		go f(p, func() { w.journal.Propose(p, proposal) })
		return true
	})
}

// runsOn fails the test if an instance is still held 2 hours after code that fits was attached.
func (w *world) runsOn(id string, reached bool) {
	w.t.Helper()
	if !reached {
		w.t.Fatal("not reached")
	}
	if lease := w.lease(id); lease.Held.Reason != "" {
		w.t.Errorf("2 hours after code that fits was attached: %+v", lease)
	}
}

// The last try is given back while a runtime is being attached: the instance's partition has the runtime, and the others do
// not have it yet.
func TestF50_a_hold_between_two_partitions_of_an_attach(t *testing.T) {
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(sleepers())
		w.start("s", "sleep", "")
		w.restart(sleepers("added"))
		var did atomic.Bool
		w.lastAbandon(func(p persistence.Partition, propose func()) {
			c := consumer.Attach(consumer.Consumer{ID: "consumer-2", Handlers: sleepers(), TurnSlots: 4, EngineVersion: "0.1.0"}, w.e.turnConfig())
			w.e.parts[p].Attach(c)
			<-time.After(time.Second)
			propose()
			did.Store(true)
		})
		pass(3 * time.Hour)
		w.runsOn("s", did.Load())
	})
}

// The last try is given back, and then a runtime is attached, before the partition takes the effect of the one and the news
// of the other in one step.
func TestF50_a_hold_and_an_attach_in_one_step(t *testing.T) {
	var waits, told atomic.Bool
	gate := make(chan struct{})
	lose := func() bool {
		if waits.Load() && !told.Swap(true) {
			<-gate // the step has taken its effects
		}
		return false
	}
	inWorldWith(t, Config{Build: "1", LoseTell: lose}, func(w *world) {
		gate = make(chan struct{})
		waits.Store(false)
		told.Store(false)
		w.attach(sleepers())
		w.start("s", "sleep", "")
		w.restart(sleepers("added"))
		w.lastAbandon(func(_ persistence.Partition, propose func()) {
			waits.Store(true)
			w.raise("s", "go", "x")
			<-time.After(time.Second)
			propose()
			<-time.After(time.Second)
			w.attachAs("consumer-2", sleepers())
			close(gate)
		})
		pass(3 * time.Hour)
		synctest.Wait()
		w.runsOn("s", told.Load())
	})
}
