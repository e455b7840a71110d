package actors

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// release asks for a release and waits for the answer.
func (w *world) release(id string) error {
	r := &reply{}
	w.e.Release(id, func(err error) { r.set(err, false) })
	return r.wait()
}

// restart ends the process and starts one with this code.
func (w *world) restart(r *registry) (detach func()) {
	w.close()
	w.open()
	return w.attach(r)
}

// fullOrShort is how much a case does, and how much of the same with -short.
func fullOrShort(full, short int) int {
	if testing.Short() {
		return short
	}
	return full
}

// manySleepers is n, or a tenth of it in a short run.
func manySleepers(n int) int { return fullOrShort(n, n/10) }

// startSleepers starts n instances that sleep, one after the other.
func (w *world) startSleepers(n int) {
	for i := range n {
		w.start(fmt.Sprint("s", i), "sleep", "")
	}
}

// notCompleted counts the first n sleepers that have not completed.
func (w *world) notCompleted(n int) (count int) {
	for i := range n {
		if w.head(fmt.Sprint("s", i)).Status != persistence.StatusCompleted {
			count++
		}
	}
	return count
}

// delayAbandon holds the n-th abandon with a reason back for a while and calls f meanwhile.
func (w *world) delayAbandon(n int, d time.Duration, f func()) {
	seen := 0
	w.take(func(p persistence.Partition, proposal persistence.Proposal) bool {
		c, ok := proposal.Command.(*persistence.AbandonTurn)
		if !ok || c.Reason == "" {
			return false
		}
		seen++
		if seen != n {
			return false
		}
		time.AfterFunc(d/2, f)
		time.AfterFunc(d, func() { w.journal.Propose(p, proposal) })
		return true
	})
}

// A runtime with fitting code is attached while the abandon of the last try is on its way.
func TestF50_an_attach_while_the_last_try_is_given_back(t *testing.T) {
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(sleepers())
		w.start("s", "sleep", "")
		detach := w.restart(sleepers("added"))
		var did atomic.Bool
		w.delayAbandon(step.HeldTriesMax, time.Second, func() {
			did.Store(true)
			detach()
			w.attachAs("consumer-2", sleepers())
		})
		pass(3 * time.Hour)
		if !did.Load() {
			w.t.Fatal("not reached")
		}
		if lease := w.lease("s"); lease.Held.Reason != "" {
			w.t.Errorf("2 hours after code that fits was attached: %+v", lease)
		}
	})
}

// The handler is registered while the abandon of a missing handler is on its way.
func TestF51_an_attach_while_a_missing_handler_is_given_back(t *testing.T) {
	inWorldWith(t, Config{Build: "1", MaxAttempts: 100}, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		w.close()
		w.open()
		w.attach(basics().without("wait"))
		var came atomic.Bool
		w.delayAbandon(8, time.Second, func() {
			w.attachAs("consumer-2", basics())
			came.Store(true)
		})
		w.raise("a", "go", "x")
		for !came.Load() {
			pass(time.Second)
		}
		pass(5 * time.Second)
		if got := w.head("a").Status; got != persistence.StatusCompleted {
			lease := w.lease("a")
			w.t.Errorf("5 s after its handler came it is %v, held for %q, not before %v from now", got, lease.Held.Reason, time.Until(time.UnixMilli(lease.NotBeforeMs)))
		}
	})
}

// An operator releases while the last try runs: what he mended has not been seen by that try.
func TestF50_a_release_while_the_last_try_runs(t *testing.T) {
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		gate := make(chan struct{})
		var tries, mended atomic.Int64
		w.attach(basics().orchestration("block", func(*replay.Context, []byte) ([]byte, error) {
			tries.Add(1)
			if mended.Load() == 0 {
				blockHere(gate)
			}
			return []byte("ok"), nil
		}))
		w.ask(arrival.StartRequest{ID: "b", Name: "block"})
		for tries.Load() < step.BlockedTriesMax {
			pass(time.Second)
		}
		mended.Store(1)
		if err := w.release("b"); err != nil {
			w.t.Fatal(err)
		}
		pass(time.Hour)
		close(gate)
		synctest.Wait()
		if got := w.head("b").Status; got != persistence.StatusCompleted {
			w.t.Errorf("an hour after its release it is %v, %d tries: %+v", got, tries.Load(), w.lease("b"))
		}
	})
}

// A runtime whose code fits is attached beside the one whose code does not.
func TestF50_code_that_fits_beside_code_that_does_not(t *testing.T) {
	const n = 20
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(sleepers())
		w.startSleepers(n)
		w.restart(sleepers("added"))
		pass(2 * time.Hour)
		w.attachAs("consumer-2", sleepers())
		pass(2 * time.Hour)
		held := w.notCompleted(n)
		if held > 0 {
			w.t.Errorf("%d of %d are still held 2 hours after a runtime was attached whose code fits", held, n)
		}
	})
}

// B is attached with one slot. Two that are held wait for it, one blocks it; C is attached; B leaves.
func TestF50_a_try_that_waited_in_a_slot_that_went(t *testing.T) {
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(sleepers())
		for i := range 6 {
			w.start(fmt.Sprint("s", i), "sleep", "")
		}
		detach := w.restart(sleepers("added"))
		pass(2 * time.Hour)
		detach()
		gate := make(chan struct{})
		first := true
		busy := basics().orchestration("sleep", func(c *replay.Context, in []byte) ([]byte, error) {
			if first {
				first = false
				<-gate
			}
			return resting("added")(c, in)
		})
		detachB, err := w.e.Attach(consumer.Consumer{ID: "b", Handlers: busy, TurnSlots: 1, EngineVersion: "0.1.0"})
		if err != nil {
			w.t.Fatal(err)
		}
		pass(10 * time.Millisecond)
		w.attachAs("c", sleepers())
		pass(10 * time.Millisecond)
		detachB()
		close(gate)
		pass(2 * time.Hour)
		held := w.notCompleted(6)
		if held > 0 {
			w.t.Errorf("%d of 6 are still held 2 hours after a runtime was attached whose code fits", held)
		}
	})
}

// Many are held by due timers, tried out. Another runtime with the same code: they are tried once, and stay as they were.
func TestF50_an_attach_keeps_since_and_tries(t *testing.T) {
	n := manySleepers(300)
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(sleepers())
		for i := range n {
			w.ask(arrival.StartRequest{ID: fmt.Sprint("s", i), Name: "sleep"})
		}
		synctest.Wait()
		log := w.logged()
		w.deploy("2", sleepers("added"))
		pass(time.Hour + 3*time.Hour)
		since := map[string]int64{}
		for i := range n {
			lease := w.lease(fmt.Sprint("s", i))
			if lease.NotBeforeMs != 0 || lease.Held.Reason == "" {
				w.t.Errorf("%+v", lease)
			}
			since[fmt.Sprint("s", i)] = lease.Held.SinceMs
		}
		errs := strings.Count(log.String(), "level=ERROR")
		before := w.e.Counters().HeldTurns
		w.attachAs("consumer-2", sleepers("added"))
		pass(time.Second)
		changed, reset, none := 0, 0, 0
		for id, was := range since {
			lease := w.lease(id)
			if lease.Held.SinceMs != was {
				changed++
			}
			if lease.Held.Tries < step.HeldTriesMax {
				reset++
			}
			if lease.Held.Reason == "" {
				none++
			}
		}
		if changed+reset+none > 0 {
			w.t.Errorf("since changed for %d, tries for %d, %d are not held now; %d tries; %d more errors in the log", changed, reset, none,
				w.e.Counters().HeldTurns-before, strings.Count(log.String(), "level=ERROR")-errs)
		}
	})
}

// Terminations read while the engine stops: it ends after their answers.
func TestAStopWaitsForTerminations(t *testing.T) {
	inWorldWith(t, Config{MemoryBytes: 1 << 20}, func(w *world) {
		w.attach(basics())
		big := strings.Repeat("x", 150<<10)
		for i := range 4 {
			w.start(fmt.Sprint("a", i), "wait", big)
		}
		w.close()
		w.open()
		w.journal.slowLoads(30 * time.Second)
		var rs []*reply
		for i := range 4 {
			r := &reply{}
			rs = append(rs, r)
			w.e.Terminate(instance.Termination{ID: fmt.Sprint("a", i), Reason: "x"}, func(err error) { r.set(err, false) })
		}
		pass(time.Second)
		done := make(chan error, 1)
		w.e.Stop(func(err error) { done <- err })
		<-done
		open := 0
		for _, r := range rs {
			if r.wait() == errNoAnswer {
				open++
			}
		}
		if open > 0 {
			w.t.Errorf("the engine has stopped, and %d terminations have no answer and go on", open)
		}
		pass(5 * time.Minute)
		for _, r := range rs {
			if err := r.wait(); err != nil {
				w.t.Error(err)
			}
		}
		_ = w.journal.Close()
		w.journal.end()
		w.open()
	})
}

// 2,000 are held by due timers and are tried again in a second. Code that fits is attached: all run.
func TestF50_all_that_are_held_run_when_code_that_fits_is_attached(t *testing.T) {
	n := manySleepers(2000)
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(sleepers())
		for i := range n {
			w.ask(arrival.StartRequest{ID: fmt.Sprint("s", i), Name: "sleep"})
		}
		synctest.Wait()
		detach := w.restart(sleepers("added"))
		pass(time.Hour + 200*time.Millisecond)
		detach()
		w.attachAs("consumer-2", sleepers())
		pass(24 * time.Hour)
		lost := w.notCompleted(n)
		if lost > 0 {
			w.t.Errorf("%d of %d have not run a day after code that fits was attached; retold %d, active %d", lost, n, w.e.Counters().Retold, w.e.Counters().Active)
		}
	})
}

// The same over a restart: code that fits is there from the start.
func TestF50_all_that_are_held_run_after_a_restart_with_code_that_fits(t *testing.T) {
	for _, n := range []int{50, manySleepers(3000)} {
		inWorldWith(t, Config{Build: "1"}, func(w *world) {
			w.attach(sleepers())
			for i := range n {
				w.ask(arrival.StartRequest{ID: fmt.Sprint("s", i), Name: "sleep"})
			}
			synctest.Wait()
			w.restart(sleepers("added"))
			pass(time.Hour + 200*time.Millisecond)
			w.restart(sleepers())
			pass(24 * time.Hour)
			lost := w.notCompleted(n)
			if lost > 0 {
				w.t.Errorf("%d of %d have not run a day after a restart with code that fits", lost, n)
			}
		})
	}
}
