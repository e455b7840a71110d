package actors

import (
	"fmt"
	"testing"
	"time"
)

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
