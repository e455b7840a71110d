package actors

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/replay"
)

// TestPOI_008_AKillerIsCountedAndPoisoned: an activity that ends its process whenever it starts is counted by the leases
// of careful mode, and is poison after the most attempts. What stands beside it in its crashes is counted too, until it
// runs alone: then it ends well.
func TestPOI_008_AKillerIsCountedAndPoisoned(t *testing.T) {
	once(t, Config{MaxAttempts: 5}, func(w *world) {
		killer := newWorker()
		var mu sync.Mutex
		bystanders := 0
		register := func() *registry {
			return newRegistry().orchestration("call", call).activity("killer", killer.run).
				activity("bystander", func(ctx context.Context, _ consumer.ActivityInfo, _ consumer.Heart, in []byte) ([]byte, error) {
					mu.Lock()
					bystanders++
					mu.Unlock()
					select {
					case <-time.After(time.Second):
						return in, nil
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				})
		}
		w.attach(register())
		for i := range 3 {
			w.start(fmt.Sprint("b", i), "call", "bystander")
		}
		w.start("k", "call", "killer")
		for range 200 {
			if _, running, _ := killer.state(); running > 0 {
				w.reopen(w.crash)
				w.attach(register())
				synctest.Wait()
				continue
			}
			pass(100 * time.Millisecond)
		}
		if p := w.failed("k").GetPoison(); p.GetAttempts() != 6 || p.GetActivityName() != "killer" {
			t.Errorf("failed with %v", w.failed("k"))
		}
		// Once under a grant, which leaves no trace, and then MaxAttempts times under a lease.
		if calls, running, _ := killer.state(); calls != 6 || running != 0 {
			t.Errorf("the killer ran %d times, want 6, and runs %d times now", calls, running)
		}
		for i := range 3 {
			w.completed(fmt.Sprint("b", i), "bystander")
		}
		if bystanders <= 3 {
			t.Errorf("the bystanders ran %d times: none stood beside a crash", bystanders)
		}
	})
}

// TestCarefulModeLeasesFirst: what is found, and what is new for 30 s. After that, and after a clean end, a grant does.
func TestCarefulModeLeasesFirst(t *testing.T) {
	once(t, Config{}, func(w *world) {
		k := newWorker()
		register := func() *registry {
			return basics().orchestration("call", call).activity("work", k.run)
		}
		w.attach(register())
		w.start("found", "call", "work")
		k.wantCalls(t, 1, 1)
		w.reopen(w.crash)
		w.attach(register())
		k.wantCalls(t, 2, 1)
		if rows := w.rows(); len(rows) != 1 || rows[0].Token == "" || rows[0].Attempts != 1 {
			t.Fatalf("what was found runs with the row %+v", rows)
		}
		leased := func() int { taken, _ := w.leases(); return taken }
		pass(29 * time.Second)
		w.start("new", "echo", "x")
		synctest.Wait()
		w.completed("new", "x")
		if n := leased(); n != 2 {
			t.Errorf("%d leases, want 2: for what was found and for what is new", n)
		}
		pass(time.Second)
		w.start("late", "echo", "x")
		synctest.Wait()
		w.completed("late", "x")
		if n := leased(); n != 2 {
			t.Errorf("%d leases after careful mode has ended, want still 2", n)
		}
		close(k.gate)
		synctest.Wait()
		w.completed("found", "work")
		w.reopen(w.close)
		w.attach(register())
		w.start("clean", "echo", "x")
		synctest.Wait()
		w.completed("clean", "x")
		if n := leased(); n != 0 {
			t.Errorf("%d leases after a clean end", n)
		}
	})
}

// crashUntilHeavy crashes until every row has so many attempts that it runs alone.
func (w *world) crashUntilHeavy(register func() *registry) {
	w.t.Helper()
	for range 20 {
		light := false
		for _, row := range w.rows() {
			light = light || row.Attempts < dispatch.HeavyFrom(w.e.cfg.MaxAttempts)
		}
		w.reopen(w.crash)
		if !light {
			return // no consumer is attached
		}
		w.attach(register())
		pass(20 * time.Second)
	}
	w.t.Fatal("some row does not get its attempts")
}

// TestAHeavySuspectRunsAlone among the suspects of the node, whatever their partitions; the next starts when it has
// ended, or after five seconds.
func TestAHeavySuspectRunsAlone(t *testing.T) {
	once(t, Config{}, func(w *world) {
		k := newWorker()
		register := func() *registry { return newRegistry().orchestration("call", call).activity("work", k.run) }
		w.attach(register())
		for i := range 4 {
			w.start(fmt.Sprint("i", i), "call", "work")
		}
		k.wantCalls(t, 4, 4)
		w.crashUntilHeavy(register)
		k.mu.Lock()
		k.starts = nil
		k.mu.Unlock()
		begun := time.Now()
		w.attach(register())
		k.wantCalls(t, 1, 1)
		pass(2 * time.Second)
		k.gate <- struct{}{} // the first ends after 2 s
		k.wantCalls(t, 2, 1)
		pass(20 * time.Second) // the others do not end
		k.wantCalls(t, 4, 3)
		var at []time.Duration
		for _, s := range k.starts {
			at = append(at, s.Sub(begun))
		}
		if want := []time.Duration{0, 2 * time.Second, 7 * time.Second, 12 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("they started after %v, want %v", at, want)
		}
		close(k.gate)
		synctest.Wait()
		for i := range 4 {
			w.completed(fmt.Sprint("i", i), "work")
		}
	})
}

// TestNothingNewStartsInTheFirstSecondOfAHeavySuspect; then what is not suspect goes on.
func TestNothingNewStartsInTheFirstSecondOfAHeavySuspect(t *testing.T) {
	once(t, Config{}, func(w *world) {
		k, fresh := newWorker(), newWorker()
		register := func() *registry {
			return newRegistry().orchestration("call", call).activity("work", k.run).activity("fresh", fresh.run)
		}
		w.attach(register())
		w.start("a", "call", "work")
		k.wantCalls(t, 1, 1)
		w.crashUntilHeavy(register)
		if _, err := w.e.Attach(consumer.Consumer{ID: "turns", Handlers: register(), TurnSlots: 2, EngineVersion: "0.1.0"}); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute) // careful mode is over for what is new
		before, _, _ := k.state()
		w.attachAs("worker", register())
		k.wantCalls(t, before+1, 1)
		w.start("b", "call", "fresh")
		fresh.wantCalls(t, 0, 0)
		pass(999 * time.Millisecond)
		fresh.wantCalls(t, 0, 0)
		pass(time.Millisecond)
		fresh.wantCalls(t, 1, 1)
		close(fresh.gate)
		close(k.gate)
		synctest.Wait()
		w.completed("a", "work")
		w.completed("b", "fresh")
	})
}

// TestNoTurnStartsInTheFirstSecondOfAHeavySuspect: neither that of an instance that is there nor that of a new one. What
// they are sent is durable meanwhile, and they run when the second is over.
func TestNoTurnStartsInTheFirstSecondOfAHeavySuspect(t *testing.T) {
	inWorld(t, func(w *world) {
		k := newWorker()
		var runs atomic.Int64
		register := func() *registry {
			return basics().orchestration("call", call).activity("work", k.run).
				orchestration("quick", func(*replay.Context, []byte) ([]byte, error) {
					runs.Add(1)
					return nil, nil
				})
		}
		w.attach(register())
		w.start("a", "call", "work")
		k.wantCalls(t, 1, 1)
		w.crashUntilHeavy(register)
		if _, err := w.e.Attach(consumer.Consumer{ID: "turns", Handlers: register(), TurnSlots: 2, EngineVersion: "0.1.0"}); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute) // careful mode is over for what is new
		w.start("there", "wait", "")
		before, _, _ := k.state()
		w.attachAs("worker", register())
		k.wantCalls(t, before+1, 1)
		raised, started := w.raise("there", "go", "on"), w.ask(arrival.StartRequest{ID: "new", Name: "quick"})
		pass(step.AcceptAfter)
		for _, r := range []*reply{raised, started} {
			if err := r.wait(); err != nil {
				t.Errorf("not accepted within 10 ms: %v", err)
			}
		}
		pass(999*time.Millisecond - step.AcceptAfter)
		if turn := w.head("there").Turn; turn != 1 || runs.Load() != 0 {
			t.Errorf("within the second: turn %d of the one, %d runs of the other", turn, runs.Load())
		}
		pass(time.Millisecond)
		w.completed("there", "on")
		w.completed("new", "")
		close(k.gate)
		synctest.Wait()
		w.completed("a", "work")
	})
}

// TestNoQueuedTurnStartsInTheFirstSecondOfAHeavySuspect: a turn that waits for a slot when the suspect starts, and whose
// slot becomes free within the second, waits on.
func TestNoQueuedTurnStartsInTheFirstSecondOfAHeavySuspect(t *testing.T) {
	inWorld(t, func(w *world) {
		k := newWorker()
		var runs atomic.Int64
		blocked, unblock := make(chan struct{}), make(chan struct{})
		register := func() *registry {
			return basics().orchestration("call", call).activity("work", k.run).
				orchestration("block", func(*replay.Context, []byte) ([]byte, error) {
					close(blocked)
					<-unblock
					return nil, nil
				}).
				orchestration("quick", func(*replay.Context, []byte) ([]byte, error) {
					runs.Add(1)
					return nil, nil
				})
		}
		w.attach(register())
		w.start("a", "call", "work")
		k.wantCalls(t, 1, 1)
		w.crashUntilHeavy(register)
		if _, err := w.e.Attach(consumer.Consumer{ID: "turns", Handlers: register(), TurnSlots: 1, EngineVersion: "0.1.0"}); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute) // careful mode is over for what is new
		block := w.ask(arrival.StartRequest{ID: "blocks", Name: "block"})
		<-blocked
		quick := w.ask(arrival.StartRequest{ID: "waits", Name: "quick"})
		synctest.Wait()
		before, _, _ := k.state()
		if _, err := w.e.Attach(consumer.Consumer{ID: "worker", Handlers: register(), ActivitySlots: 4, EngineVersion: "0.1.0"}); err != nil {
			t.Fatal(err)
		}
		k.wantCalls(t, before+1, 1)
		pass(100 * time.Millisecond)
		close(unblock)
		pass(899 * time.Millisecond)
		if runs.Load() != 0 {
			t.Error("the queued turn began within the second")
		}
		pass(time.Millisecond)
		w.completed("waits", "")
		w.completed("blocks", "")
		for _, r := range []*reply{block, quick} {
			if err := r.wait(); err != nil {
				t.Error(err)
			}
		}
		close(k.gate)
		synctest.Wait()
		w.completed("a", "work")
	})
}
