package actors

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance"
	"github.com/turnstone-dev/turnstone/actors/internal/mailbox"
	"github.com/turnstone-dev/turnstone/actors/partition"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/persistencetest"
)

// TestF54_AStopIsAnsweredAlthoughThePartitionFails: in the step that stops it, while it ends its epoch, and when that end
// comes back.
func TestF54_AStopIsAnsweredAlthoughThePartitionFails(t *testing.T) {
	for name, fail := range map[string]func(w *world){
		"while the engine drains": func(w *world) {
			w.e.parts[1].Post("panic", func() { panic("a bug") })
		},
		"as it proposes the end": func(w *world) {
			w.take(func(p persistence.Partition, proposal persistence.Proposal) bool {
				if _, is := proposal.Command.(persistence.EndEpoch); is && p == 1 {
					panic("a bug")
				}
				return false
			})
		},
		"after it has stopped what runs": func(w *world) {
			w.take(func(p persistence.Partition, proposal persistence.Proposal) bool {
				if _, is := proposal.Command.(persistence.EndEpoch); is && p == 1 {
					w.e.parts[1].Post("panic", func() { panic("a bug") })
				}
				return false
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{t: t, disk: persistencetest.NewDisk(4), panicsExpected: true}
				w.open()
				w.attach(basics())
				for i := range 8 {
					w.start(fmt.Sprint("i", i), "wait", "")
				}
				done := make(chan error, 1)
				if name == "while the engine drains" {
					w.e.Stop(func(err error) { done <- err })
					fail(w)
				} else {
					fail(w)
					w.e.Stop(func(err error) { done <- err })
				}
				synctest.Wait()
				select {
				case err := <-done:
					if name == "as it proposes the end" && !errors.Is(err, partition.ErrPartitionFailed) {
						t.Errorf("the stop says %v", err)
					}
				default:
					t.Error("the stop is not answered")
				}
				w.take(nil)
				_ = w.journal.Close()
				w.journal.end()
				w.open() // what did not end cleanly is found
				w.attach(basics())
				for i := range 8 {
					w.raise(fmt.Sprint("i", i), "go", "x")
				}
				pass(time.Second)
				for i := range 8 {
					w.completed(fmt.Sprint("i", i), "x")
				}
				w.close()
			})
		})
	}
}

// alwaysPanics is handlers whose lookup of an activity panics as long as it is armed.
type alwaysPanics struct {
	*registry
	armed atomic.Bool
}

func (p *alwaysPanics) Activity(name string) (consumer.ActivityFunc, bool) {
	if p.armed.Load() {
		panic("a defect")
	}
	return p.registry.Activity(name)
}

// TestF54_APartitionThatFailsAgainAndAgainBacksOff: each of its epochs is a commit. When the cause is gone it serves, and
// after a calm minute its next failure costs no pause.
func TestF54_APartitionThatFailsAgainAndAgainBacksOff(t *testing.T) {
	once(t, Config{}, func(w *world) {
		w.panicsExpected = true
		handlers := &alwaysPanics{registry: basics()}
		if _, err := w.e.Attach(consumer.Consumer{ID: "c", Handlers: handlers, TurnSlots: 2, ActivitySlots: 2}); err != nil {
			t.Fatal(err)
		}
		epochs := func() int { return w.journal.count(persistence.BeginEpoch{}) }
		before := epochs()
		handlers.armed.Store(true)
		w.start("a", "echo", "x")
		pass(time.Minute)
		if n := epochs() - before; n < mailbox.RestartsAtOnce || n > mailbox.RestartsAtOnce+10+6 {
			t.Errorf("%d epochs in a minute of failures", n)
		}
		handlers.armed.Store(false)
		pass(mailbox.RestartPauseMax)
		w.completed("a", "x")
		pass(partition.RestartCalm + time.Second)
		before = epochs()
		w.e.partitionOf("a").Post("panic", func() { panic("another bug") })
		synctest.Wait()
		if epochs() != before+1 || w.e.partitionOf("a").Epoch() == 0 {
			t.Error("after a calm minute the next failure is not recovered from at once")
		}
	})
}

// TestF54_AnInstanceThatCannotRecoverIsGivenUp: every step of it panics, those after a restart too. The senders that wait
// are answered, restarts end, and the next message begins anew from the journal.
func TestF54_AnInstanceThatCannotRecoverIsGivenUp(t *testing.T) {
	for _, stop := range []bool{false, true} {
		once(t, Config{ResidentBytes: -1}, func(w *world) {
			w.panicsExpected = true
			registry := &flaky{registry: basics()}
			if _, err := w.e.Attach(consumer.Consumer{ID: "c", Handlers: registry, TurnSlots: 2, ActivitySlots: 2}); err != nil {
				t.Fatal(err)
			}
			w.start("a", "wait", "")
			registry.panics.Store(1 << 30)
			began := w.e.sys.Restarts()
			first, second := w.raise("a", "go", "x"), w.raise("a", "go", "y")
			synctest.Wait()
			if n := w.e.sys.Restarts() - began; n > instance.PanicsMax+1 {
				t.Errorf("%d restarts at once", n)
			}
			for _, r := range []*reply{first, second} {
				if err := r.wait(); !errors.Is(err, persistence.ErrUncertain) {
					t.Errorf("a sender is told %v", err)
				}
			}
			if stop {
				now := time.Now()
				w.reopen(w.close)
				if took := time.Since(now); took > 20*time.Millisecond {
					t.Errorf("the stop takes %v", took)
				}
				w.attach(basics())
			}
			registry.panics.Store(0)
			if err := w.raise("a", "go", "z").wait(); err != nil {
				t.Error(err)
			}
			pass(time.Second)
			w.completed("a", "z")
		})
	}
}
