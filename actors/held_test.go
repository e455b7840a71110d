package actors

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// lease is the lease row of an instance.
func (w *world) lease(id string) (lease persistence.TurnLease) {
	w.t.Helper()
	w.read(id, func(r persistence.Reader, iid persistence.Incarnation) (err error) {
		lease, _, err = r.TurnLease(iid)
		return err
	})
	return lease
}

// logged has the engine's log go into a buffer.
func (w *world) logged() *lockedBuffer {
	log := &lockedBuffer{}
	w.logTo(slog.NewTextHandler(log, nil))
	return log
}

// deploy ends the process and starts one of another build.
func (w *world) deploy(build string, r *registry) {
	w.t.Helper()
	w.close()
	w.cfg.Build = build
	w.open()
	w.attach(r)
}

// resting waits for a timer of an hour, then asks for what comes next. A later version of it asks for more first.
func resting(before ...string) replay.Func {
	return func(c *replay.Context, _ []byte) ([]byte, error) {
		for _, name := range before {
			c.Activity(name, nil, replay.ActivityOptions{})
		}
		if _, err := c.Timer(time.Hour).Await(); err != nil {
			return nil, err
		}
		return []byte("rested"), nil
	}
}

func sleepers(before ...string) *registry { return basics().orchestration("sleep", resting(before...)) }

// TestF50_a_deploy_that_does_not_fit_holds_the_instances: 40 wait for a timer, a deploy adds an activity, the timers fire.
// None fails; the clock tries each at most ten times, one at a time; a rollback lets all run.
func TestF50_a_deploy_that_does_not_fit_holds_the_instances(t *testing.T) {
	const n = 40
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		log := w.logged()
		w.attach(sleepers())
		w.startSleepers(n)
		var running, most, tries atomic.Int64
		bad := resting("added")
		w.deploy("2", basics().orchestration("sleep", func(c *replay.Context, input []byte) ([]byte, error) {
			if tries.Add(1) > n { // the first ones come of the timers
				most.Store(max(most.Load(), running.Add(1)))
				defer running.Add(-1)
			}
			return bad(c, input)
		}))
		pass(time.Hour + 20*time.Minute) // each is tried ten times in less
		for i := range n {
			id := fmt.Sprint("s", i)
			lease := w.lease(id)
			if got := w.head(id).Status; got != persistence.StatusRunning {
				w.t.Fatalf("%s is %v", id, got)
			}
			for _, words := range []string{"event 2", "history has TimerCreated", "the code asked for activity \"added\"", "held_test.go:"} {
				if !strings.Contains(lease.Held.Reason, words) {
					w.t.Fatalf("the reason %q does not name %q", lease.Held.Reason, words)
				}
			}
			if lease.Held.Tries != step.HeldTriesMax || lease.NotBeforeMs != 0 || lease.Attempts != 0 || lease.Held.Build != "2" {
				w.t.Fatalf("the lease row of %s is %+v", id, lease)
			}
		}
		if text := log.String(); strings.Count(text, "level=ERROR") != n || strings.Count(text, "held_test.go:") < 2*n {
			w.t.Errorf("%d errors in the log, want one of each instance with both call sites:\n%.2000s", strings.Count(text, "level=ERROR"), text)
		}
		if got := tries.Load(); got != n*step.HeldTriesMax {
			w.t.Errorf("%d tries, want %d", got, n*step.HeldTriesMax)
		}
		if got := most.Load(); got != 1 {
			w.t.Errorf("%d at once", got)
		}
		if c := w.e.Counters(); c.Held != n || c.HeldTurns != n*step.HeldTriesMax || c.Retold != 0 || c.Active != 0 {
			w.t.Errorf("counters %+v", c)
		}
		w.deploy("1", sleepers())
		pass(time.Second)
		for i := range n {
			w.completed(fmt.Sprint("s", i), "rested")
		}
		if c := w.e.Counters(); c.Held != 0 || c.Retold != 0 {
			w.t.Errorf("counters %+v", c)
		}
		if goOn := strings.Count(log.String(), "an instance that was held goes on"); goOn != n {
			w.t.Errorf("the log says of %d that they go on", goOn)
		}
	})
}

// TestF50_a_runtime_whose_code_fits_runs_what_is_held: it is attached beside the other, or in its place.
func TestF50_a_runtime_whose_code_fits_runs_what_is_held(t *testing.T) {
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(sleepers())
		w.start("s", "sleep", "")
		w.close()
		w.open()
		detach := w.attach(sleepers("added"))
		pass(2 * time.Hour)
		if lease := w.lease("s"); lease.Held.Reason == "" || lease.NotBeforeMs != 0 {
			w.t.Fatalf("the lease row is %+v", lease)
		}
		detach()
		w.attachAs("consumer-2", sleepers())
		pass(time.Second)
		w.completed("s", "rested")
		if c := w.e.Counters(); c.Held != 0 || c.Retold != 0 {
			w.t.Errorf("counters %+v", c)
		}
	})
}

// TestF50_an_attach_during_a_try_counts: the try that is under way has the old code, and is the last one by the clock.
func TestF50_an_attach_during_a_try_counts(t *testing.T) {
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(sleepers())
		w.start("s", "sleep", "")
		w.close()
		w.open()
		gate := make(chan struct{})
		var tries atomic.Int64
		bad := resting("added")
		detach := w.attach(basics().orchestration("sleep", func(c *replay.Context, input []byte) ([]byte, error) {
			if tries.Add(1) == step.HeldTriesMax {
				<-gate
			}
			return bad(c, input)
		}))
		for tries.Load() < step.HeldTriesMax {
			pass(time.Second)
		}
		w.attachAs("consumer-2", sleepers())
		pass(100 * time.Millisecond)
		detach()
		close(gate)
		pass(time.Second)
		w.completed("s", "rested")
	})
}

// TestF50_FailOnNondeterminism_records_the_failure: of the node, or of one runtime.
func TestF50_FailOnNondeterminism_records_the_failure(t *testing.T) {
	for _, node := range []bool{true, false} {
		inWorldWith(t, Config{Build: "1", FailOnNondeterminism: node}, func(w *world) {
			log := w.logged()
			w.attach(sleepers())
			w.start("s", "sleep", "")
			w.close()
			w.open()
			_, err := w.e.Attach(consumer.Consumer{
				ID: "consumer-1", Handlers: sleepers("added"), TurnSlots: 1, EngineVersion: "0.1.0", FailOnNondeterminism: !node,
			})
			if err != nil {
				w.t.Fatal(err)
			}
			pass(2 * time.Hour)
			if why := w.failed("s"); !failure.IsNondeterminism(why) {
				w.t.Errorf("failed with %v", why)
			}
			if text := log.String(); strings.Count(text, "its code does not fit its history") != 1 || strings.Count(text, "held_test.go:") < 2 {
				w.t.Errorf("the log:\n%s", text)
			}
		})
	}
}

// TestF50_release lets a held instance be tried at once: when it is not the time for it, after the last try, after a
// restart; and does nothing to one that is not held.
func TestF50_release(t *testing.T) {
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(sleepers())
		w.start("s", "sleep", "")
		w.start("a", "wait", "")
		w.deploy("2", sleepers("added"))
		if err := w.release("a"); err != nil {
			w.t.Errorf("one that is not held: %v", err)
		}
		if err := w.release("nobody"); !errors.Is(err, persistence.ErrNotFound) {
			w.t.Errorf("an unknown one: %v", err)
		}
		pass(time.Hour + 10*time.Second)
		before := w.e.Counters().HeldTurns
		if err := w.release("s"); err != nil {
			w.t.Fatal(err)
		}
		pass(time.Millisecond)
		if n := w.e.Counters().HeldTurns; n != before+1 {
			w.t.Errorf("%d tries at the release, want 1", n-before)
		}
		if lease := w.lease("s"); lease.Held.Tries != 1 {
			w.t.Errorf("the lease row is %+v", lease)
		}
		pass(time.Hour)
		for range 2 { // after the last try; again after a restart
			before = w.e.Counters().HeldTurns
			if lease := w.lease("s"); lease.NotBeforeMs != 0 {
				w.t.Fatalf("the lease row is %+v", lease)
			}
			if err := w.release("s"); err != nil {
				w.t.Fatal(err)
			}
			pass(time.Hour)
			if n := w.e.Counters().HeldTurns; n != before+step.HeldTriesMax {
				w.t.Errorf("%d tries after the release, want %d", n-before, step.HeldTriesMax)
			}
			w.deploy("2", sleepers("added"))
			pass(time.Hour)
		}
		w.deploy("3", sleepers())
		pass(time.Second)
		w.completed("s", "rested")
		if err := w.release("s"); !errors.Is(err, persistence.ErrEnded) {
			w.t.Errorf("one that has ended: %v", err)
		}
	})
}

// TestF50_code_that_runs_and_records_nothing_is_not_held: its handler was missing, and then it has nothing to do.
func TestF50_code_that_runs_and_records_nothing_is_not_held(t *testing.T) {
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		w.close()
		w.open()
		r := basics().without("wait")
		w.attach(r)
		if err := w.raise("a", "other", "x").wait(); err != nil {
			w.t.Fatal(err)
		}
		pass(500 * time.Millisecond)
		if lease := w.lease("a"); lease.Held.Reason != "orchestration wait 1.0.0 is not registered" {
			w.t.Fatalf("the lease row is %+v", lease)
		}
		r.orchestration("wait", waiter)
		pass(time.Minute)
		if lease := w.lease("a"); lease.Held.Reason != "" || w.e.Counters().Held != 0 {
			w.t.Errorf("the lease row is %+v", lease)
		}
		if err := w.raise("a", "go", "x").wait(); err != nil {
			w.t.Fatal(err)
		}
		w.completed("a", "x")
	})
}

// TestF31_the_reason_is_in_the_lease_row_at_once: misuse with its call site, blocked code, a missing handler.
func TestF31_the_reason_is_in_the_lease_row_at_once(t *testing.T) {
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		gate := make(chan struct{})
		w.attach(basics().
			orchestration("outer", func(outer *replay.Context, _ []byte) ([]byte, error) {
				_, err := outer.Go(func(*replay.Context) (any, error) {
					return outer.Timer(time.Second).Await() // of the context outside
				}).Await()
				return nil, err
			}).
			orchestration("block", func(*replay.Context, []byte) ([]byte, error) {
				blockHere(gate)
				return nil, nil
			}))
		for _, name := range []string{"outer", "block", "nowhere"} {
			w.ask(arrival.StartRequest{ID: name, Name: name})
		}
		pass(100 * time.Millisecond)
		for id, words := range map[string][]string{
			"outer":   {"context", "held_test.go:"},
			"nowhere": {"orchestration nowhere is not registered"},
		} {
			for _, text := range words {
				if lease := w.lease(id); !strings.Contains(lease.Held.Reason, text) {
					w.t.Errorf("%s is held for %q, want %q", id, lease.Held.Reason, text)
				}
			}
			if got := w.head(id).Status; got != persistence.StatusPending {
				w.t.Errorf("%s is %v", id, got)
			}
		}
		pass(5100 * time.Millisecond)
		if lease := w.lease("block"); !strings.Contains(lease.Held.Reason, "orchestration block 1.0.0 blocks") || lease.Attempts != 0 {
			w.t.Errorf("the lease row is %+v", lease)
		}
		pass(20 * time.Minute)
		lease := w.lease("block")
		if lease.Held.Tries != step.BlockedTriesMax || lease.NotBeforeMs != 0 || w.e.Counters().AbandonedTurns != step.BlockedTriesMax {
			w.t.Errorf("after %d abandoned turns the lease row is %+v", w.e.Counters().AbandonedTurns, lease)
		}
		close(gate)
		synctest.Wait()
	})
}

// TestF_37_an_instance_that_ends_without_its_code_records_its_version: the version that the code would have had.
func TestF_37_an_instance_that_ends_without_its_code_records_its_version(t *testing.T) {
	inWorldWith(t, Config{MaxAttempts: 1}, func(w *world) {
		r := basics().orchestration("kill", func(*replay.Context, []byte) ([]byte, error) {
			w.journal.Stop(errKilled)
			return nil, nil
		})
		w.start("a", "kill", "")
		for range 4 {
			w.attach(r)
			pass(20 * time.Second)
			if w.journal.Cause() == nil {
				break
			}
			w.crash()
			w.open()
		}
		if why := w.failed("a"); why.GetPoison().GetTarget() != turnpb.PoisonTarget_POISON_TARGET_ORCHESTRATION {
			w.t.Errorf("failed with %v", why)
		}
		if v := w.history("a", 1)[0].Events[0].GetStarted().GetVersion(); v != "1.0.0" || w.head("a").Version != v {
			w.t.Errorf("started as version %q, head %q", v, w.head("a").Version)
		}
	})
}

// An instance whose code fits again and has nothing to record is let go of without a turn: the log says that it goes on.
func TestF50_an_instance_that_is_let_go_of_without_a_turn_is_logged(t *testing.T) {
	inOneWorld(t, Config{Build: "1", Limits: limits.Limits{Carried: 1, CarriedBytes: 1}}, func(w *world) {
		log := w.logged()
		w.attach(basics())
		w.start("a", "wait", "")
		pass(time.Second)
		w.deploy("2", basics().orchestration("wait", echo))
		answered(t, w.raise("a", "other", "0123"))
		pass(time.Second)
		if w.lease("a").Held.Reason == "" {
			t.Fatal("it is not held")
		}
		w.deploy("1", basics())
		pass(time.Second)
		if n := w.journal.count(&persistence.ReleaseTurn{}); n != 1 || w.lease("a").Held.Reason != "" {
			t.Errorf("it was let go of %d times, and is held: %q", n, w.lease("a").Held.Reason)
		}
		if n := strings.Count(log.String(), "an instance that was held goes on"); n != 1 {
			t.Errorf("the log says %d times that it goes on", n)
		}
	})
}
