package actors

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

func (w *world) terminate(x instance.Termination) error {
	r := &reply{}
	w.e.Terminate(x, func(err error) { r.set(err, false) })
	return r.wait()
}

// terminated checks that an instance was terminated, for a reason.
func (w *world) terminated(id, reason string) {
	w.t.Helper()
	if why := w.failed(id); failure.Display(why) != "terminated: "+reason {
		w.t.Errorf("%s failed with %v", id, failure.Display(why))
	}
	segments := w.history(id, w.head(id).Execution)
	if got := segments[len(segments)-1].Header.GetOrigin(); got != turnpb.SegmentOrigin_SEGMENT_ORIGIN_TERMINATE {
		w.t.Errorf("%s has the origin %v", id, got)
	}
}

// TestTerminate: one that waits, one that is held, one whose handler is unknown and that has not begun. No code runs.
func TestTerminate(t *testing.T) {
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		log := w.logged()
		w.attach(sleepers())
		w.start("waits", "wait", "")
		w.start("held", "sleep", "")
		w.deploy("2", sleepers("added"))
		pass(time.Hour + time.Second)
		if lease := w.lease("held"); lease.Held.Reason == "" {
			w.t.Fatalf("the lease row is %+v", lease)
		}
		for _, id := range []string{"waits", "held"} {
			if err := w.terminate(instance.Termination{ID: id, Reason: "enough of " + id}); err != nil {
				w.t.Fatalf("%s: %v", id, err)
			}
			w.terminated(id, "enough of "+id)
			if text := log.String(); strings.Count(text, "instance_id="+id+" reason=\"enough of "+id) != 1 {
				w.t.Errorf("the log:\n%s", text)
			}
		}
		pass(time.Hour)
		if c := w.e.Counters(); c.Held != 0 || c.Active != 0 || c.Terminated != 2 || c.Retold != 0 {
			w.t.Errorf("counters %+v", c)
		}
		if err := w.ask(arrival.StartRequest{ID: "new", Name: "nowhere", Version: "3.0.0"}).wait(); err != nil {
			w.t.Fatal(err)
		}
		if err := w.terminate(instance.Termination{ID: "new", Reason: "x"}); err != nil {
			w.t.Fatal(err)
		}
		w.terminated("new", "x")
		if got := w.story("new", 1); len(got) != 2 || got[0] != "OrchestrationStarted" || got[1] != "OrchestrationFailed" {
			w.t.Errorf("history %v", got)
		}
	})
}

// TestTerminateDuringATurn: what the turn decides is not recorded, and its activity does not run.
func TestTerminateDuringATurn(t *testing.T) {
	inWorld(t, func(w *world) {
		gate, ran := make(chan struct{}), false
		w.attach(basics().
			activity("late", func(context.Context, consumer.ActivityInfo, consumer.Heart, []byte) ([]byte, error) {
				ran = true
				return nil, nil
			}).
			orchestration("slow", func(c *replay.Context, _ []byte) ([]byte, error) {
				if _, err := waiter(c, nil); err != nil {
					return nil, err
				}
				if !c.Replaying() {
					<-gate
				}
				_, err := c.Activity("late", nil, replay.ActivityOptions{}).Await()
				return nil, err
			}))
		w.start("a", "slow", "")
		w.raise("a", "go", "x")
		pass(100 * time.Millisecond)
		if err := w.terminate(instance.Termination{ID: "a", Reason: "enough"}); err != nil {
			w.t.Fatal(err)
		}
		close(gate)
		pass(time.Minute)
		w.terminated("a", "enough")
		if got := strings.Join(w.story("a", 1), " "); got != "OrchestrationStarted ExternalSubscribed ExternalSubscribedCancelled OrchestrationFailed" {
			w.t.Errorf("history %v", got)
		}
		if c := w.e.Counters(); ran || c.Active != 0 {
			w.t.Errorf("the activity ran: %v, %d active", ran, c.Active)
		}
	})
}

// TestTerminateComputesItsEndAgain: a turn is committed between its read and its end.
func TestTerminateComputesItsEndAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("twice", func(c *replay.Context, _ []byte) ([]byte, error) {
			if _, err := waiter(c, nil); err != nil {
				return nil, err
			}
			return waiter(c, nil)
		}))
		w.start("a", "twice", "")
		conflicts := 0
		w.take(func(p persistence.Partition, proposal persistence.Proposal) bool {
			if _, ok := proposal.Command.(*persistence.Terminate); !ok || conflicts > 0 {
				return false
			}
			conflicts++
			w.raise("a", "go", "x")
			done := proposal.Done
			time.AfterFunc(time.Second, func() {
				proposal.Done = func(r persistence.Result) {
					if !errors.Is(r.Err, persistence.ErrConflict) {
						w.t.Errorf("the first end is answered with %v", r.Err)
					}
					done(r)
				}
				w.journal.Propose(p, proposal)
			})
			return true
		})
		r := &reply{}
		w.e.Terminate(instance.Termination{ID: "a", Reason: "enough"}, func(err error) { r.set(err, false) })
		pass(2 * time.Second)
		if err := r.wait(); err != nil || conflicts != 1 {
			w.t.Fatalf("%v after %d conflicts", err, conflicts)
		}
		w.terminated("a", "enough")
	})
}

// TestTerminateTellsTheFamily: children are cancelled, the parent gets the failure.
func TestTerminateTellsTheFamily(t *testing.T) {
	inWorld(t, func(w *world) {
		child := func(name, id string) replay.Func {
			return func(c *replay.Context, _ []byte) ([]byte, error) {
				_, err := c.Child(name, nil, replay.ChildOptions{ID: id}).Await()
				return []byte(failure.Display(failure.Of(err))), nil
			}
		}
		w.attach(basics().orchestration("top", child("middle", "m")).orchestration("middle", child("wait", "c")))
		w.start("t", "top", "")
		pass(time.Second)
		if err := w.terminate(instance.Termination{ID: "m", Reason: "enough"}); err != nil {
			w.t.Fatal(err)
		}
		pass(time.Second)
		w.terminated("m", "enough")
		if why := w.failed("c"); !failure.IsCancelled(why) || !strings.Contains(failure.Display(why), "parent canceled") {
			w.t.Errorf("the child failed with %v", why)
		}
		if got := string(w.last("t").GetCompleted().GetOutput()); !strings.Contains(got, "terminated: enough") {
			w.t.Errorf("the parent was told %q", got)
		}
	})
}

// TestTerminateAnswers: what has ended, what is unknown, a key that is repeated or another request's, limits.
func TestTerminateAnswers(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		w.start("done", "echo", "x")
		pass(time.Second)
		keyed := instance.Termination{ID: "a", Reason: "enough", RequestKey: "key"}
		for range 2 {
			if err := w.terminate(keyed); err != nil {
				w.t.Fatal(err)
			}
		}
		w.terminated("a", "enough")
		keyed.Reason = "another"
		var limit *limits.Error
		var id *limits.IDError
		for _, c := range []struct {
			what string
			x    instance.Termination
			is   func(error) bool
		}{
			{"another request's key", keyed, is(persistence.ErrKeyReused)},
			{"one that has ended", instance.Termination{ID: "a"}, is(persistence.ErrEnded)},
			{"one that has completed", instance.Termination{ID: "done"}, is(persistence.ErrEnded)},
			{"an unknown one", instance.Termination{ID: "nobody"}, is(persistence.ErrNotFound)},
			{"no id", instance.Termination{}, func(err error) bool { return errors.As(err, &id) }},
			{"a long reason", instance.Termination{ID: "a", Reason: strings.Repeat("x", 1<<20)}, func(err error) bool { return errors.As(err, &limit) }},
		} {
			if err := w.terminate(c.x); !c.is(err) {
				w.t.Errorf("%s: %v", c.what, err)
			}
		}
	})
}

func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

// tidy is the waiter with an undo step.
func tidy(c *replay.Context, input []byte) ([]byte, error) {
	c.Cleanup(func(*replay.Context, *turnpb.Failure) error { return nil }, 0)
	return waiter(c, input)
}

// TestF52_cleanup_waits_for_its_handler: the lease row says so. A termination does not wait.
func TestF52_cleanup_waits_for_its_handler(t *testing.T) {
	inWorld(t, func(w *world) {
		w.attach(basics().orchestration("wait", tidy))
		w.start("a", "wait", "")
		w.start("b", "wait", "")
		w.close()
		w.open()
		r := basics().without("wait")
		w.attach(r)
		for _, id := range []string{"a", "b"} {
			if err := w.cancel(id, "enough").wait(); err != nil {
				w.t.Fatal(err)
			}
			if lease := w.lease(id); lease.Held.Reason != "cancel waits for its handler: orchestration wait 1.0.0 is not registered" {
				w.t.Errorf("the lease row is %+v", lease)
			}
		}
		if err := w.terminate(instance.Termination{ID: "b", Reason: "now"}); err != nil {
			w.t.Fatal(err)
		}
		w.terminated("b", "now")
		r.orchestration("wait", tidy)
		pass(time.Minute)
		synctest.Wait()
		if why := w.failed("a"); !failure.IsCancelled(why) {
			w.t.Errorf("failed with %v", why)
		}
	})
}
