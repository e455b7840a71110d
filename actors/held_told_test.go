package actors

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// asked is a registry that says that it was asked for the code of an orchestration.
type asked struct {
	*registry
	then func()
}

func (a asked) Orchestration(name, version string) (string, replay.Func, bool) {
	a.then()
	return a.registry.Orchestration(name, version)
}

// A runtime with fitting code is attached while the last try chooses its code.
func TestF50_an_attach_while_the_last_try_chooses_its_code(t *testing.T) {
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(sleepers())
		w.start("s", "sleep", "")
		w.close()
		w.open()
		var leases atomic.Int64
		w.journal.on(func(_ persistence.Partition, proposal persistence.Proposal) bool {
			if _, ok := proposal.Command.(*persistence.LeaseTurn); ok {
				leases.Add(1)
			}
			return false
		})
		came := false
		_, err := w.e.Attach(consumer.Consumer{ID: "consumer-1", TurnSlots: 1, EngineVersion: "0.1.0", Handlers: asked{sleepers("added"), func() {
			if leases.Load() == step.HeldTriesMax-1 && !came { // the first try takes none
				came = true
				w.attachAs("consumer-2", sleepers())
			}
		}}})
		if err != nil {
			w.t.Fatal(err)
		}
		pass(3 * time.Hour)
		if lease := w.lease("s"); !came || lease.Held.Reason != "" {
			w.t.Errorf("hours after code that fits was attached (%v) the lease row is %+v", came, lease)
		}
	})
}

// A runtime without the handler is attached before the time of the next try, and then one that has it.
func TestF51_an_attach_after_one_that_was_no_reason_for_a_try(t *testing.T) {
	inWorldWith(t, Config{Build: "1", MaxAttempts: 100}, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		w.restart(basics().without("wait"))
		w.raise("a", "go", "x")
		for w.lease("a").Attempts < 8 {
			pass(time.Second)
		}
		w.attachAs("consumer-2", basics().without("wait"))
		pass(time.Second)
		if held := w.e.Counters().Held; held != 1 {
			w.t.Errorf("%d held", held)
		}
		w.attachAs("consumer-3", basics())
		pass(time.Second)
		if got := w.head("a").Status; got != persistence.StatusCompleted {
			w.t.Errorf("1 s after its handler came it is %v, and the lease row is %+v", got, w.lease("a"))
		}
	})
}

// The node takes few at once when it is opened with code that fits: some of the timers find it full.
func TestF50_all_that_are_held_run_on_a_node_that_takes_few(t *testing.T) {
	for _, n := range []int{10, manySleepers(300)} {
		inWorldWith(t, Config{Build: "1"}, func(w *world) {
			w.attach(sleepers())
			w.startSleepers(n)
			w.restart(sleepers("added"))
			pass(3 * time.Hour)
			w.cfg.InstancesMax = 2
			w.restart(sleepers())
			pass(24 * time.Hour)
			if held := w.notCompleted(n); held > 0 {
				w.t.Errorf("%d of %d have not run a day after a restart with code that fits", held, n)
			}
		})
	}
}

// Others are released while the code of an instance blocks: that is no reason to try it once more.
func TestF50_releases_of_others_are_no_tries(t *testing.T) {
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(sleepers())
		w.start("s", "sleep", "")
		gate := make(chan struct{})
		var tries atomic.Int64
		w.restart(sleepers("added").orchestration("block", func(*replay.Context, []byte) ([]byte, error) {
			tries.Add(1)
			blockHere(gate)
			return nil, nil
		}))
		pass(2 * time.Hour)
		w.ask(arrival.StartRequest{ID: "b", Name: "block"})
		for range 200 {
			if err := w.release("s"); err != nil {
				w.t.Fatal(err)
			}
			pass(2 * time.Second)
		}
		if n := tries.Load(); n != step.BlockedTriesMax {
			w.t.Errorf("it was tried %d times, want %d: the lease row is %+v", n, step.BlockedTriesMax, w.lease("b"))
		}
		close(gate)
		synctest.Wait()
	})
}

// A runtime whose code does not fit is attached beside one whose code does, which stays.
func TestF50_code_that_does_not_fit_beside_code_that_does(t *testing.T) {
	const n = 20
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(sleepers())
		w.startSleepers(n)
		w.restart(sleepers())
		w.attachAs("consumer-2", sleepers("added"))
		pass(24 * time.Hour)
		if held := w.notCompleted(n); held > 0 {
			w.t.Errorf("%d of %d are held, though code that fits is attached; %+v", held, n, w.lease("s0"))
		}
	})
}

// A runtime with fitting code is attached during the last try: the instance goes on at once, and so do its later timers.
func TestF50_timers_of_an_instance_that_goes_on_after_its_last_try(t *testing.T) {
	twice := func(before ...string) replay.Func {
		return func(c *replay.Context, in []byte) ([]byte, error) {
			if _, err := resting(before...)(c, in); err != nil {
				return nil, err
			}
			return resting()(c, in)
		}
	}
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(basics().orchestration("sleep", twice()))
		w.start("s", "sleep", "")
		w.close()
		w.open()
		gate := make(chan struct{})
		var tries atomic.Int64
		bad := twice("added")
		w.attach(basics().orchestration("sleep", func(c *replay.Context, in []byte) ([]byte, error) {
			if tries.Add(1) == step.HeldTriesMax {
				<-gate
			}
			return bad(c, in)
		}))
		for tries.Load() < step.HeldTriesMax {
			pass(time.Second)
		}
		w.attachAs("consumer-2", basics().orchestration("sleep", twice()))
		pass(100 * time.Millisecond)
		close(gate)
		pass(time.Second)
		if n := w.e.Counters().Held; n != 0 || w.lease("s").Held.Reason != "" {
			w.t.Errorf("%d are held, the lease row is %+v", n, w.lease("s"))
		}
		pass(3 * time.Hour)
		w.completed("s", "rested")
	})
}

// Some of what instances are told is lost when the node is opened with code that fits: they are told again, and tried.
func TestF50_what_is_lost_at_the_open_is_tried_when_it_is_told_again(t *testing.T) {
	const n = 20
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(sleepers())
		w.startSleepers(n)
		w.restart(sleepers("added"))
		pass(4 * time.Hour)
		var told atomic.Int64
		w.cfg.LoseTell = func() bool { return told.Add(1)%3 == 0 }
		w.restart(sleepers())
		pass(time.Hour)
		if held := w.notCompleted(n); held > 0 {
			w.t.Errorf("%d of %d have not run an hour after a restart with code that fits", held, n)
		}
	})
}

// The tries of held instances take long, one after the other: those that wait are told again, and have lost nothing.
func TestF50_an_instance_that_waits_for_its_try_has_lost_nothing(t *testing.T) {
	const n = 6
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(sleepers())
		w.startSleepers(n)
		gate := make(chan struct{})
		w.restart(basics().orchestration("sleep", func(*replay.Context, []byte) ([]byte, error) {
			blockHere(gate)
			return nil, nil
		}))
		pass(2 * time.Hour)
		if c := w.e.Counters(); c.HeldTurns != n*step.BlockedTriesMax || c.Retold != 0 {
			w.t.Errorf("%d tries, want %d; %d had to be told again", c.HeldTurns, n*step.BlockedTriesMax, c.Retold)
		}
		close(gate)
		synctest.Wait()
	})
}

// What has an instance tried for a new runtime is lost, and what tells it of an event is not: that says it too.
func TestF50_a_try_that_is_lost_beside_an_event(t *testing.T) {
	for _, loses := range [][]int64{{1, 3}, {2}, {1, 2}} {
		inWorldWith(t, Config{Build: "1"}, func(w *world) {
			w.attach(basics())
			w.start("a", "wait", "")
			var told atomic.Int64
			told.Store(-1000)
			w.cfg.LoseTell = func() bool { return slices.Contains(loses, told.Add(1)) }
			gate := make(chan struct{})
			w.restart(basics().orchestration("wait", func(*replay.Context, []byte) ([]byte, error) {
				blockHere(gate)
				return nil, nil
			}))
			w.raise("a", "go", "x")
			pass(time.Hour)
			if lease := w.lease("a"); lease.Held.Tries != step.BlockedTriesMax || lease.NotBeforeMs != 0 {
				w.t.Errorf("the lease row is %+v", lease)
			}
			told.Store(0)
			w.attachAs("consumer-2", basics())
			pass(time.Hour)
			if got := w.head("a").Status; got != persistence.StatusCompleted {
				w.t.Errorf("an hour after code that fits was attached it is %v; lost were %v of %d", got, loses, told.Load())
			}
			close(gate)
			synctest.Wait()
		})
	}
}

// Code that fits has run and has nothing to record, and the instance is told something while it runs. It is let go of all the
// same: after another read it would be held back, since its tries are used up.
func TestF50_an_instance_that_is_told_something_while_fitting_code_runs_is_let_go_of(t *testing.T) {
	inOneWorld(t, Config{Build: "1", Limits: limits.Limits{Carried: 1, CarriedBytes: 1}}, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		pass(time.Second)
		w.deploy("1", basics().orchestration("wait", echo))
		answered(t, w.raise("a", "other", "0123"))
		pass(time.Hour)
		if lease := w.lease("a"); lease.Held.Tries != step.HeldTriesMax {
			t.Fatalf("its tries are not used up: %+v", lease)
		}
		told := false
		w.deploy("1", basics().orchestration("wait", func(c *replay.Context, input []byte) ([]byte, error) {
			if !told {
				told = true
				w.e.act.tellActive("a", step.NewTold(&dispatch.Action{Kind: dispatch.TellRetry, IID: w.head("a").IID}))
			}
			return waiter(c, input)
		}))
		pass(time.Minute)
		if !told {
			t.Fatal("the code did not run")
		}
		if lease := w.lease("a"); lease.Held.Reason != "" {
			t.Errorf("it is held: %+v", lease)
		}
	})
}
