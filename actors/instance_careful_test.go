package actors

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// TestCarefulMode: after a crash everything is accepted first and leased before its code runs, and still done once.
func TestCarefulMode(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		w.crash()
		w.open()
		w.attach(basics())
		if !w.e.partitionOf("a").Careful() {
			t.Fatal("not careful after a crash")
		}
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		w.start("b", "echo", "y")
		pass(time.Second)
		w.completed("a", "x")
		w.completed("b", "y")
		for command, want := range map[persistence.Command]int{
			&persistence.StartInstance{}: 1, &persistence.Enqueue{}: 1, &persistence.LeaseTurn{}: 3,
		} {
			if n := w.journal.count(command); n != want {
				t.Errorf("%d %T, want %d", n, command, want)
			}
		}
		pass(time.Minute)
		if w.e.partitionOf("a").Careful() {
			t.Error("still careful after a minute")
		}
	})
}

// TestACleanEndIsNotCareful.
func TestACleanEndIsNotCareful(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		w.close()
		w.open()
		w.attach(basics())
		if w.e.partitionOf("a").Careful() {
			t.Fatal("careful after a clean end")
		}
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		w.completed("a", "x")
		if n := w.journal.count(&persistence.LeaseTurn{}); n != 0 {
			t.Errorf("%d LeaseTurn", n)
		}
	})
}

// TestAKillerIsPoisoned: code that ends its process is counted, and not run for ever.
func TestAKillerIsPoisoned(t *testing.T) {
	inWorldWith(t, Config{MaxAttempts: 3}, func(w *world) {
		var runs atomic.Int64
		registry := basics().orchestration("kill", func(c *replay.Context, _ []byte) ([]byte, error) {
			runs.Add(1)
			w.journal.Stop(errKilled)
			return nil, nil
		})
		w.attach(registry)
		w.ask(arrival.StartRequest{ID: "a", Name: "kill"}).wait()
		w.ask(arrival.StartRequest{ID: "b", Name: "wait"}).wait()
		for range 10 {
			pass(20 * time.Millisecond)
			if w.journal.Cause() == nil {
				break
			}
			w.crash()
			w.open()
			w.attach(registry)
			if runs.Load() == 1 { // the first start was never durable
				w.ask(arrival.StartRequest{ID: "a", Name: "kill"}).wait()
			}
			pass(10 * time.Second)
		}
		why := w.failed("a")
		if why.GetPoison().GetTarget() != turnpb.PoisonTarget_POISON_TARGET_ORCHESTRATION || why.GetPoison().GetAttemptsMax() != 3 {
			t.Errorf("failed with %v", why)
		}
		if n := runs.Load(); n > 5 {
			t.Errorf("the code ran %d times with 3 attempts", n)
		}
		if got := w.story("a", 1); len(got) != 2 || got[0] != "OrchestrationStarted" || got[1] != "OrchestrationFailed" {
			t.Errorf("history %v", got)
		}
		if got := w.history("a", 1)[0].Header.GetOrigin(); got != turnpb.SegmentOrigin_SEGMENT_ORIGIN_POISON {
			t.Errorf("origin %v", got)
		}
		if c := w.e.Counters(); c.Poisoned != 1 {
			t.Errorf("%d poisoned", c.Poisoned)
		}
	})
}

// TestUnregisteredIsRetriedWithBackoffAndThenPoisoned, and its parent is told.
func TestUnregisteredIsRetriedWithBackoffAndThenPoisoned(t *testing.T) {
	inWorldWith(t, Config{MaxAttempts: 4}, func(w *world) {
		w.attach(basics().orchestration("parent", func(c *replay.Context, _ []byte) ([]byte, error) {
			_, err := c.Child("nowhere", nil, replay.ChildOptions{ID: "c"}).Await()
			return nil, err
		}))
		w.start("a", "nowhere", "")
		w.start("p", "parent", "")
		pass(14 * time.Second) // 1 + 2 + 4 s, and still waiting for the fourth: 8 s
		if got := w.head("a").Status; got != persistence.StatusPending {
			t.Fatalf("%v after 14 s", got)
		}
		pass(2 * time.Second)
		for _, id := range []string{"a", "c"} {
			if why := w.failed(id); why.GetPoison() == nil {
				t.Errorf("%s failed with %v", id, why)
			}
		}
		if why := w.failed("p"); why.GetPoison().GetInstance() != "c" {
			t.Errorf("the parent failed with %v", why)
		}
	})
}

// TestAHandlerThatComesLaterIsFound.
func TestAHandlerThatComesLaterIsFound(t *testing.T) {
	inWorld(t, func(w *world) {
		registry := basics()
		w.attach(registry)
		w.start("a", "late", "in")
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		registry.orchestration("late", waiter)
		pass(1500 * time.Millisecond)
		w.completed("a", "x")
	})
}

// TestWithoutConsumersNothingIsCounted: what is started waits for the first consumer.
func TestWithoutConsumersNothingIsCounted(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start("a", "echo", "x")
		pass(time.Hour)
		detach := w.attach(basics())
		synctest.Wait()
		w.completed("a", "x")
		w.start("b", "wait", "")
		detach()
		if err := w.raise("b", "go", "y").wait(); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		w.attach(basics())
		synctest.Wait()
		w.completed("b", "y")
		if n := w.journal.count(&persistence.AbandonTurn{}); n != 0 {
			t.Errorf("%d AbandonTurn", n)
		}
	})
}

// TestTwoConsumersWithDifferentHandlers on one journal: each runs what it can.
func TestTwoConsumersWithDifferentHandlers(t *testing.T) {
	inWorld(t, func(w *world) {
		first := newRegistry().orchestration("one", echo)
		second := newRegistry().orchestration("two", echo).activity("echo", echoActivity)
		w.attachAs("first", first)
		detach := w.attachAs("second", second)
		for _, id := range []string{"a", "b", "c"} {
			w.start(id+"1", "one", id)
			w.start(id+"2", "two", id)
		}
		synctest.Wait()
		for _, id := range []string{"a", "b", "c"} {
			w.completed(id+"1", id)
			w.completed(id+"2", id)
		}
		detach()
		w.start("d", "one", "d") // no consumer has its activity now
		pass(2 * time.Second)
		if got := w.head("d").Status; got != persistence.StatusRunning {
			t.Fatalf("d is %v", got)
		}
		w.attachAs("third", second)
		pass(time.Minute)
		w.completed("d", "d")
	})
}

// TestAResidentInstanceMovesToAnotherConsumer when its own goes.
func TestAResidentInstanceMovesToAnotherConsumer(t *testing.T) {
	inWorld(t, func(w *world) {
		detach := w.attachAs("first", basics())
		w.start("a", "wait", "")
		w.attachAs("second", basics())
		detach()
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.completed("a", "x")
	})
}

var errKilled = errors.New("killed")

// TestASuspectThatWaitsIntoTheTimeAfterCarefulModeIsLeased: it was found after a crash, and is no less suspect because it
// had to wait for others.
func TestASuspectThatWaitsIntoTheTimeAfterCarefulModeIsLeased(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		w.crash()
		w.open()
		p := w.e.partitionOf("a")
		for range 7 { // that do not end: each keeps the next one waiting for five seconds
			p.AdmitSuspect(dispatch.HeavyFrom(10), func(release func()) { t.Cleanup(release) })
		}
		w.attach(basics())
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		pass(35*time.Second - time.Millisecond)
		if p.Careful() {
			t.Fatal("still careful")
		}
		if got := w.head("a").Status; got != persistence.StatusRunning {
			t.Fatalf("a is %v while others run alone", got)
		}
		pass(time.Millisecond)
		w.completed("a", "x")
		if n := w.journal.count(&persistence.LeaseTurn{}); n != 1 {
			t.Errorf("%d LeaseTurn, want 1", n)
		}
	})
}

// TestALeaseThatIsTakenIsNotAskedForAllTheTime: the answer to a lease was lost, so no process renews it, and none can take
// another before it ends. Until then the journal is not flooded with commands that it refuses.
func TestALeaseThatIsTakenIsNotAskedForAllTheTime(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		w.crash()
		w.open()
		w.attach(basics())
		lost := false
		w.take(func(p persistence.Partition, proposal persistence.Proposal) bool {
			if lease, ok := proposal.Command.(*persistence.LeaseTurn); ok && !lost {
				lost = true
				other := *lease
				other.Nonce++
				w.journal.Memory.Propose(p, persistence.Proposal{
					TimeMs: proposal.TimeMs, Epoch: proposal.Epoch, Command: &other, Done: func(persistence.Result) {},
				})
			}
			return false
		})
		if err := w.raise("a", "go", "x").wait(); err != nil {
			t.Fatal(err)
		}
		pass(4 * time.Second)
		if n := w.journal.count(&persistence.LeaseTurn{}); n < 1 || n > 10 {
			t.Errorf("%d LeaseTurn in 4 s while somebody has the lease", n)
		}
		pass(2 * time.Second)
		w.completed("a", "x")
	})
}
