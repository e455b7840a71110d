package actors

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/persistencetest"
	"github.com/turnstone-dev/turnstone/replay"
)

// stopAt is a world that has crashed with work of all kinds, is open again since a while, and is stopped: gracefully, or
// after its journal has ended. It returns how long that took.
func stopAt(t *testing.T, cfg Config, after time.Duration, killed bool) (took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, disk: persistencetest.NewDisk(4), cfg: cfg}
		w.open()
		k := newWorker()
		register := func() *registry {
			return basics().orchestration("call", call).orchestration("sleep", sleeper).activity("work", k.run)
		}
		for i := range 8 {
			w.start(fmt.Sprint("w", i), "call", "work")
			w.start(fmt.Sprint("e", i), "call", "echo")
			w.start(fmt.Sprint("t", i), "wait", "")
			w.start(fmt.Sprint("s", i), "sleep", "1s")
			w.start(fmt.Sprint("u", i), "unknown", "")
			w.start(fmt.Sprint("v", i), "call", "unknown")
		}
		w.attach(register())
		pass(10 * time.Millisecond)
		for i := range 8 {
			w.start(fmt.Sprint("p", i), "call", "work")
		}
		w.reopen(w.crash)
		if _, err := w.e.Attach(consumer.Consumer{ID: "c", Handlers: register(), TurnSlots: 2, ActivitySlots: 2, EngineVersion: "0.1.0"}); err != nil {
			t.Fatal(err)
		}
		pass(after)
		began := time.Now()
		if killed {
			w.crash()
		} else {
			w.close()
		}
		took = time.Since(began)
	})
	return took
}

// TestF53_AStopSoonAfterACrashReleasesEverythingThatWaits: on probation, for a slot, in a pause. No code ignores its stop here, so
// only the few milliseconds may pass in which the ends of epochs are written.
func TestF53_AStopSoonAfterACrashReleasesEverythingThatWaits(t *testing.T) {
	stops := 120
	if testing.Short() {
		stops = 24
	}
	for _, most := range []uint32{1, 2, 10} {
		for _, killed := range []bool{false, true} {
			for i := range stops / 6 {
				after := time.Duration(i*i) * 31 * time.Millisecond % (7 * time.Second)
				if took := stopAt(t, Config{MaxAttempts: most}, after, killed); took > 20*time.Millisecond {
					t.Errorf("MaxAttempts %d, killed %v: a stop %v after the open takes %v", most, killed, after, took)
				}
			}
		}
	}
}

// TestF53_AStopGoesThroughNoBacklog: while it waits for code that runs, the dispatchers bring it no more instances, each of
// which would be read only to leave again.
func TestF53_AStopGoesThroughNoBacklog(t *testing.T) {
	once(t, Config{InstancesMax: 10}, func(w *world) {
		running, gate := make(chan struct{}), make(chan struct{})
		register := func() *registry {
			return basics().orchestration("block", func(*replay.Context, []byte) ([]byte, error) {
				close(running)
				<-gate
				return nil, nil
			})
		}
		w.start("block", "block", "")
		for i := range 300 {
			w.start(fmt.Sprint("i", i), "wait", "")
		}
		w.reopen(w.close)
		if _, err := w.e.Attach(consumer.Consumer{ID: "c", Handlers: register(), TurnSlots: 1, EngineVersion: "0.1.0"}); err != nil {
			t.Fatal(err)
		}
		<-running
		synctest.Wait()
		before := w.e.Counters().Loads
		time.AfterFunc(2*time.Second, func() { close(gate) })
		began := time.Now()
		w.reopen(w.close)
		if took := time.Since(began); took > 2010*time.Millisecond {
			t.Errorf("the stop takes %v", took)
		}
		if got := w.stopped.Loads - before; got > 10 {
			t.Errorf("%d instances were read while the engine stopped", got)
		}
	})
}

// TestF53_APauseEndsWithAStop: the journal is busy, or a heavy suspect has just started.
func TestF53_APauseEndsWithAStop(t *testing.T) {
	once(t, Config{}, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		w.e.parts[0].AdmitSuspect(9, func(func()) {}) // heavy: for a second, no code that is no suspect starts
		w.raise("a", "go", "x")
		pass(20 * time.Millisecond)
		if got := w.head("a").Status; got != persistence.StatusRunning {
			t.Fatalf("a is %v within the pause", got)
		}
		began := time.Now()
		w.reopen(w.close)
		if took := time.Since(began); took > 15*time.Millisecond {
			t.Errorf("the stop takes %v", took)
		}
	})
}
