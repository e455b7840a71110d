package actors

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/internal/failure"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// TestF51_the_reason_names_the_version_that_is_missing: only 1.1.0 is registered while an instance of 1.0.0 runs. It is
// poisoned after its attempts.
func TestF51_the_reason_names_the_version_that_is_missing(t *testing.T) {
	inWorldWith(t, Config{MaxAttempts: 4}, func(w *world) {
		log := w.logged()
		w.attach(basics())
		w.start("a", "wait", "")
		w.close()
		w.open()
		later := basics()
		later.version = "1.1.0"
		w.attach(later)
		if err := w.raise("a", "go", "x").wait(); err != nil {
			w.t.Fatal(err)
		}
		const reason = "orchestration wait 1.0.0 is not registered"
		if lease := w.lease("a"); lease.Held.Reason != reason || lease.Attempts != 1 {
			w.t.Errorf("the lease row is %+v", lease)
		}
		if n := strings.Count(log.String(), reason); n != 1 {
			w.t.Errorf("the reason is logged %d times:\n%s", n, log.String())
		}
		pass(time.Minute)
		if why := w.failed("a"); why.GetPoison().GetAttemptsMax() != 4 {
			w.t.Errorf("failed with %v", why)
		}
	})
}

// TestF51_a_restart_without_the_handler_is_no_attempt: ten restarts within seconds, of one build and of others, clean and
// unclean, leave the attempts to the clock.
func TestF51_a_restart_without_the_handler_is_no_attempt(t *testing.T) {
	inWorldWith(t, Config{MaxAttempts: 4}, func(w *world) {
		w.attach(basics())
		w.start("a", "wait", "")
		missing := func(build string) {
			w.cfg.Build = build
			w.open()
			w.attach(basics().without("wait"))
			pass(50 * time.Millisecond)
		}
		w.close()
		missing("1")
		if err := w.raise("a", "go", "x").wait(); err != nil {
			w.t.Fatal(err)
		}
		for i := range 10 {
			if i%3 == 0 {
				w.crash()
			} else {
				w.close()
			}
			missing([]string{"1", "2"}[i/5])
			if lease := w.lease("a"); lease.Attempts != 1 {
				w.t.Fatalf("after %d restarts the lease row is %+v", i+1, lease)
			}
		}
		pass(2 * time.Second) // its time has come
		if lease := w.lease("a"); lease.Attempts != 2 {
			w.t.Errorf("after its backoff the lease row is %+v", lease)
		}
		w.attachAs("consumer-2", basics())
		pass(time.Second)
		w.completed("a", "x")
	})
}

// TestF52_a_cancel_of_what_no_runtime_has ends it at once: before its first turn and after, with its handler unknown and
// with no runtime attached at all.
func TestF52_a_cancel_of_what_no_runtime_has(t *testing.T) {
	inWorld(t, func(w *world) {
		detach := w.attach(basics())
		w.start("ran", "wait", "")
		detach()
		w.ask(arrival.StartRequest{ID: "alone", Name: "wait"})
		for _, id := range []string{"ran", "alone"} {
			w.cancelledNow(id)
		}
		w.attachAs("consumer-2", basics().without("wait"))
		w.ask(arrival.StartRequest{ID: "unknown", Name: "wait"})
		w.cancelledNow("unknown")
		w.ask(arrival.StartRequest{ID: "waits", Name: "wait"})
		pass(20 * time.Second) // it is between two attempts
		w.cancelledNow("waits")
		if got := w.history("unknown", 1)[0].Header.GetOrigin(); got != turnpb.SegmentOrigin_SEGMENT_ORIGIN_CANCEL {
			w.t.Errorf("origin %v", got)
		}
	})
}

// cancelledNow cancels an instance, which ends at once.
func (w *world) cancelledNow(id string) {
	w.t.Helper()
	if err := w.cancel(id, "enough").wait(); err != nil {
		w.t.Fatal(err)
	}
	if why := w.failed(id); !failure.IsCancelled(why) {
		w.t.Errorf("%s failed with %v", id, why)
	}
}

// TestF52_a_cancel_of_a_held_instance ends it at once, wherever the cancel is: in the turn that is held, behind many
// results, while another is tried.
func TestF52_a_cancel_of_a_held_instance(t *testing.T) {
	parallel := func(before ...string) replay.Func {
		return func(c *replay.Context, _ []byte) ([]byte, error) {
			for _, name := range before {
				c.Activity(name, nil, replay.ActivityOptions{})
			}
			for range 20 {
				c.Activity("late", nil, replay.ActivityOptions{})
			}
			return resting()(c, nil)
		}
	}
	inWorldWith(t, Config{Build: "1", InboxPage: 3, MaxAttempts: 100}, func(w *world) {
		w.attach(basics().orchestration("many", parallel()))
		w.start("behind", "many", "")
		w.start("within", "many", "")
		r := basics().orchestration("many", parallel("added"))
		w.deploy("2", r)
		pass(time.Second)
		// The turn that takes the cancel is the first that is held.
		w.cancelledNow("within")
		r.activity("late", echoActivity)
		pass(time.Hour)
		if head := w.head("behind"); head.Inbox != 20 {
			w.t.Fatalf("%d rows wait", head.Inbox)
		}
		if lease := w.lease("behind"); lease.NotBeforeMs != 0 || !strings.Contains(lease.Held.Reason, "added") {
			w.t.Fatalf("the lease row is %+v", lease)
		}
		w.cancelledNow("behind")
	})
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		w.attach(sleepers())
		for i := range 3 {
			w.start(fmt.Sprint("s", i), "sleep", "")
		}
		w.close()
		w.open()
		gate := make(chan struct{})
		first := true
		w.attach(basics().orchestration("sleep", func(c *replay.Context, input []byte) ([]byte, error) {
			if n := w.e.Counters().HeldTurns; n >= 3 && first {
				first = false
				<-gate
			}
			return resting("added")(c, input)
		}))
		pass(time.Hour + 2500*time.Millisecond) // one is tried, and blocks; the time of the others has come
		for i := range 3 {
			if lease := w.lease(fmt.Sprint("s", i)); lease.Token == "" {
				w.cancelledNow(fmt.Sprint("s", i))
			}
		}
		if c := w.e.Counters(); c.Active != 1 || c.Held != 1 {
			w.t.Errorf("counters %+v", c)
		}
		close(gate)
		pass(time.Second)
	})
}
