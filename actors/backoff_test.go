package actors

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/persistence"
)

// TestVER_054_AnUnregisteredActivityIsPoisonInTheEnd: held back for longer each time, about five minutes in all, and its
// failure names it.
func TestVER_054_AnUnregisteredActivityIsPoisonInTheEnd(t *testing.T) {
	once(t, Config{}, func(w *world) {
		w.attach(newRegistry().orchestration("call", call).activity("echo", echoActivity))
		w.start("a", "call", "nobody")
		begun := time.Now()
		for w.head("a").Status != persistence.StatusFailed && time.Since(begun) < time.Hour {
			pass(time.Second)
		}
		// 1 + 2 + 4 + 8 + 16 + 32 + 4 x 60 seconds
		if d := time.Since(begun); d < 303*time.Second || d > 306*time.Second {
			t.Errorf("given up after %v, want about 303 s", d)
		}
		if n := w.journal.count(&persistence.AbandonWork{}); n != 10 {
			t.Errorf("given back %d times, want 10", n)
		}
		f := w.failed("a")
		p := f.GetPoison()
		if p.GetAttempts() != 11 || p.GetAttemptsMax() != 10 || p.GetActivityName() != "nobody" || p.GetActivityId() != 2 {
			t.Errorf("failed with %v", f)
		}
		if text := failure.Display(f); !strings.Contains(text, "activity nobody#2 exceeded 11 attempts (max 10)") {
			t.Errorf("failed with %q", text)
		}
		if c := w.e.ActivityCounters(); c.Poisoned != 1 || c.Unregistered != 10 || c.Started != 0 {
			t.Errorf("counters %+v", c)
		}
	})
}

// TestF55_a_name_that_nothing_runs_is_logged_once has ten instances in all partitions, and an activity of ten others.
func TestF55_a_name_that_nothing_runs_is_logged_once(t *testing.T) {
	once(t, Config{}, func(w *world) {
		log := &lockedBuffer{}
		w.logTo(slog.NewTextHandler(log, nil))
		w.attach(newRegistry().orchestration("call", call))
		for i := range 10 {
			w.start(fmt.Sprint("a", i), "mistyped", "")
			w.start(fmt.Sprint("b", i), "call", "nobody")
		}
		pass(50 * time.Second)
		for _, words := range []string{"orchestration_name=mistyped", "activity_name=nobody"} {
			if n := strings.Count(log.String(), words); n != 1 {
				t.Errorf("%q is logged %d times in a minute:\n%s", words, n, log.String())
			}
		}
		if c := w.e.Counters(); c.Unregistered < 30 {
			t.Errorf("%d were given back", c.Unregistered)
		}
	})
}

// TestAnActivityThatIsRegisteredLaterRuns at its next attempt.
func TestAnActivityThatIsRegisteredLaterRuns(t *testing.T) {
	once(t, Config{}, func(w *world) {
		r := newRegistry().orchestration("call", call)
		w.attach(r)
		w.start("a", "call", "late")
		pass(4 * time.Second) // held back for 1, 2 and 4 s
		r.activity("late", echoActivity)
		pass(2 * time.Second)
		if got := w.head("a").Status; got != persistence.StatusRunning {
			t.Fatalf("%v before its time", got)
		}
		pass(time.Second)
		w.completed("a", "late")
	})
}

// TestWithNoWorkerAttachedNothingIsCounted: the work waits for the first one.
func TestWithNoWorkerAttachedNothingIsCounted(t *testing.T) {
	once(t, Config{}, func(w *world) {
		r := newRegistry().orchestration("call", call).activity("work", echoActivity)
		if _, err := w.e.Attach(consumer.Consumer{ID: "turns", Handlers: r, TurnSlots: 1, EngineVersion: "0.1.0"}); err != nil {
			t.Fatal(err)
		}
		w.start("a", "call", "work")
		pass(24 * time.Hour)
		if rows := w.rows(); len(rows) != 1 || rows[0].Attempts != 0 {
			t.Fatalf("rows %+v", rows)
		}
		w.attachAs("worker", r)
		synctest.Wait()
		w.completed("a", "work")
	})
}

// TestWorkIsGivenBackAgainWhileTheJournalIsBusy.
func TestWorkIsGivenBackAgainWhileTheJournalIsBusy(t *testing.T) {
	once(t, Config{MaxAttempts: 2}, func(w *world) {
		w.attach(newRegistry().orchestration("call", call).activity("echo", echoActivity))
		w.take(busyFor[*persistence.AbandonWork](3))
		w.start("a", "call", "nobody")
		pass(time.Minute)
		if p := w.failed("a").GetPoison(); p.GetAttempts() != 3 || p.GetAttemptsMax() != 2 {
			t.Errorf("failed with %v", p)
		}
	})
}

// TestAnUncertainResultIsBroughtAgain: its activity has run, and is not run a second time, whether the commit that the
// journal could not answer for was recorded or not.
func TestAnUncertainResultIsBroughtAgain(t *testing.T) {
	for _, recorded := range []bool{false, true} {
		t.Run(fmt.Sprint("recorded ", recorded), func(t *testing.T) {
			once(t, Config{}, func(w *world) {
				k := newWorker()
				w.attach(newRegistry().orchestration("call", call).activity("work", k.run))
				w.start("a", "call", "work")
				k.wantCalls(t, 1, 1)
				uncertain := 0
				w.take(func(_ persistence.Partition, p persistence.Proposal) bool {
					c, is := p.Command.(*persistence.CommitTurn)
					if !is || len(c.AcceptedResults) == 0 || uncertain > 0 {
						return false
					}
					uncertain++
					p.Done(persistence.Result{Err: persistence.ErrUncertain})
					if recorded {
						p.Done = func(persistence.Result) {}
						w.journal.Memory.Propose(0, p)
						w.journal.poke()
					}
					return true
				})
				close(k.gate)
				pass(time.Minute)
				w.completed("a", "work")
				if uncertain != 1 {
					t.Errorf("%d commits were uncertain, want 1", uncertain)
				}
				k.wantCalls(t, 1, 0)
				if c := w.e.ActivityCounters(); c.Void != 0 {
					t.Errorf("%d results were void", c.Void)
				}
			})
		})
	}
}
