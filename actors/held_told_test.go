package actors

import (
	"fmt"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/persistence"
)

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
	for _, n := range []int{10, 300} {
		inWorldWith(t, Config{Build: "1"}, func(w *world) {
			w.attach(sleepers())
			for i := range n {
				w.start(fmt.Sprint("s", i), "sleep", "")
			}
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
