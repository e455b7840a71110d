package e2e

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// gives is an orchestration that gives a text.
func gives(name, version, out string) *orch[string, string] {
	return turnstone.NewOrchestration(name, func(_ octx, in string) (string, error) { return out + in, nil },
		turnstone.WithVersion(version))
}

// anyVersion is a handle that leaves the version to the policy.
func anyVersion(name string) *orch[string, string] {
	return turnstone.OrchestrationRef[string, string](name)
}

// continues goes on as new, and gives its input when it is called the second time.
func continues(version string, options ...turnstone.ContinueOption) *orch[string, string] {
	return turnstone.NewOrchestration("C", func(ctx octx, in string) (string, error) {
		return "", turnstone.ContinueAsNew(ctx, "from_v1_to_v2", options...)
	}, turnstone.WithVersion(version))
}

func TestVersionsOfStarts(t *testing.T) {
	scenario(t, "VER_001 a start with an old version runs it", func(w *world) {
		w.open(gives("V", "1.0.0", "v1"), gives("V", "2.0.0", "v2"))
		if _, err := w.c.Start(w.ctx, "i", "V", []byte(`""`), client.WithVersion("1.0.0")); err != nil {
			t.Fatal(err)
		}
		completes(w, "i", "v1")
	})
	scenario(t, "VER_002 a typed start with an old version runs it", func(w *world) {
		v := func(version string, out int) *orch[int, int] {
			return turnstone.NewOrchestration("V", func(octx, int) (int, error) { return out, nil }, turnstone.WithVersion(version))
		}
		v1 := v("1.0.0", 1)
		w.open(v1, v("2.0.0", 2))
		begin(w, v1, "by its handle", 0)
		completes(w, "by its handle", 1)
		if _, err := client.Start(w.ctx, w.c, "by an option", turnstone.OrchestrationRef[int, int]("V"), 0, client.WithVersion("1.0.0")); err != nil {
			t.Fatal(err)
		}
		completes(w, "by an option", 1)
	})
	scenario(t, "VER_006 a start without a version runs the highest one", func(w *world) {
		w.open(gives("V", "1.0.0", "v1:"), gives("V", "1.1.0", "v1.1:"))
		begin(w, anyVersion("V"), "i", "X")
		completes(w, "i", "v1.1:X")
		h := w.history("i", 0)
		if kinds := h.kinds(); kinds[len(kinds)-1] != "OrchestrationCompleted" || h[0].GetStarted().GetVersion() != "1.1.0" {
			t.Errorf("history %v, version %s", kinds, h[0].GetStarted().GetVersion())
		}
	})
	scenario(t, "VER_007 an exact policy pins a version", func(w *world) {
		w.open(gives("V", "1.0.0", "v1:"), gives("V", "1.1.0", "v1.1:"))
		w.registry.SetVersionPolicy("V", turnstone.Exact("1.0.0"))
		begin(w, anyVersion("V"), "i", "Y")
		completes(w, "i", "v1:Y")
	})
	scenario(t, "VER_004 a detached start runs the latest version", func(w *world) {
		leaf1, leaf2 := gives("Leaf", "1.0.0", "l1"), gives("Leaf", "2.0.0", "l2")
		o := text("O", func(ctx octx, _ string) (string, error) {
			anyVersion("Leaf").StartDetached(ctx, "open", "")
			leaf1.StartDetached(ctx, "by its handle", "")
			ctx.StartDetached("Leaf", "by an option", []byte(`""`), turnstone.WithVersion("1.0.0"))
			return "", nil
		})
		w.open(leaf1, leaf2, o)
		begin(w, o, "i", "")
		completes(w, "i", "")
		begin(w, anyVersion("Leaf"), "direct", "")
		for id, want := range map[string]string{"open": "l2", "direct": "l2", "by its handle": "l1", "by an option": "l1"} {
			w.until(id, func() bool { _, err := w.c.Describe(w.ctx, id); return err == nil })
			completes(w, id, want)
		}
	})
}

func TestVersionsOfChildren(t *testing.T) {
	c1, c2 := gives("Child", "1.0.0", "c1"), gives("Child", "2.0.0", "c2")
	scenario(t, "VER_003 a child runs the version that is asked for, else the policy's", func(w *world) {
		o := turnstone.NewOrchestration("O", func(ctx octx, _ string) (string, error) {
			out := ""
			for _, f := range []*turnstone.Future[string]{
				anyVersion("Child").Start(ctx, "", turnstone.WithVersion("1.0.0")), anyVersion("Child").Start(ctx, ""),
				c1.Start(ctx, ""), c2.Start(ctx, "", turnstone.WithVersion("1.0.0")),
				c1.Start(ctx, "", turnstone.WithRetry(turnstone.NewRetryPolicy(2))),
			} {
				s, err := f.Await()
				if err != nil {
					return "", err
				}
				out += s + " "
			}
			return out, nil
		})
		w.open(c1, c2, o)
		begin(w, o, "i", "")
		completes(w, "i", "c1 c2 c1 c1 c1 ")
	})
	calls := text("O", func(ctx octx, in string) (string, error) { return anyVersion("Child").Call(ctx, in) })
	scenario(t, "VER_008 a child runs the latest version until the policy pins one", func(w *world) {
		w.open(gives("Child", "1.0.0", "v1:"), gives("Child", "1.1.0", "v1.1:"), calls)
		begin(w, calls, "i", "A")
		completes(w, "i", "v1.1:A")
		w.registry.SetVersionPolicy("Child", turnstone.Exact("1.0.0"))
		begin(w, calls, "j", "B")
		completes(w, "j", "v1:B")
	})
	scenario(t, "VER_009 a parent's child runs the upgraded version", func(w *world) {
		w.open(gives("Child", "1.0.0", "cv1:"), gives("Child", "1.1.0", "cv1.1:"), calls)
		begin(w, calls, "i", "inp")
		completes(w, "i", "cv1.1:inp")
		if n := w.history("i", 0).count("SubOrchestrationCompleted"); n != 1 {
			t.Errorf("%d results of children", n)
		}
	})
}

func TestVersionsOfNextExecutions(t *testing.T) {
	scenario(t, "VER_005 continue-as-new goes on in the version that is asked for", func(w *world) {
		v1 := continues("1.0.0", turnstone.WithVersion("2.0.0"))
		w.open(v1, gives("C", "2.0.0", "done:"), gives("C", "3.0.0", "not this:"))
		begin(w, v1, "i", "")
		completes(w, "i", "done:from_v1_to_v2")
	})
	scenario(t, "VER_010 the version that continue-as-new asks for wins against the policy", func(w *world) {
		v1 := continues("1.0.0", turnstone.WithVersion("2.0.0"))
		w.open(v1, gives("C", "2.0.0", "v2_done:"))
		w.registry.SetVersionPolicy("C", turnstone.Exact("1.0.0"))
		begin(w, anyVersion("C"), "i", "")
		completes(w, "i", "v2_done:from_v1_to_v2")
	})
	scenario(t, "continue-as-new without a version asks the policy, though the handle has one", func(w *world) {
		v1 := continues("0.0.0")
		w.open(v1, gives("C", "2.0.0", "v2:"), gives("C", "3.0.0", "v3:"))
		w.registry.SetVersionPolicy("C", turnstone.Exact("2.0.0"))
		begin(w, v1, "i", "")
		completes(w, "i", "v2:from_v1_to_v2")
		if v := w.history("i", 1)[0].GetStarted().GetVersion(); v != "0.0.0" {
			t.Errorf("execution 1 ran %s", v)
		}
	})
	scenario(t, "SC_016 an execution stays in its own version although a later one is there", func(w *world) {
		var later atomic.Int64
		v2 := turnstone.NewOrchestration("C", func(ctx octx, in string) (string, error) {
			if in == "" {
				return "", turnstone.ContinueAsNew(ctx, "again", turnstone.WithVersion("1.0.2"))
			}
			return upper.Call(ctx, in)
		}, turnstone.WithVersion("1.0.2"))
		v3 := turnstone.NewOrchestration("C", func(octx, string) (string, error) { return "", fmt.Errorf("run %d", later.Add(1)) },
			turnstone.WithVersion("1.0.3"))
		w.open(upper, v2, v3)
		begin(w, v2, "i", "")
		completes(w, "i", "AGAIN")
		if later.Load() != 0 {
			t.Error("the later version ran")
		}
	})
}

func TestVersionsThatAreMissing(t *testing.T) {
	poisoned := func(w *world, id string) {
		t.Helper()
		if f := w.failure(id); !errors.Is(f, turnstone.ErrPoisoned) || f.AttemptsMax != 3 {
			t.Errorf("%s: %+v", id, f)
		}
	}
	quick := func(w *world) { w.cfg.MaxAttempts, w.cfg.BackoffBase, w.cfg.BackoffMax = 3, 10*ms, 50*ms }
	scenario(t, "VER_053 an orchestration that nothing runs ends as poison", func(w *world) {
		quick(w)
		w.open(gives("V", "1.0.0", ""))
		begin(w, anyVersion("Unknown"), "name", "")
		if _, err := client.Start(w.ctx, w.c, "version", anyVersion("V"), "", client.WithVersion("9.9.9")); err != nil {
			t.Fatal(err)
		}
		poisoned(w, "name")
		poisoned(w, "version")
		w.verified = true
	})
	scenario(t, "VER_057 continuing in a missing version ends as poison", func(w *world) {
		quick(w)
		v1 := continues("1.0.0", turnstone.WithVersion("3.0.0"))
		w.open(v1)
		begin(w, v1, "i", "")
		poisoned(w, "i")
		w.executions("i", 2)
	})
}

func timerFired(execution, event uint64) *turnpb.Message {
	return &turnpb.Message{Execution: execution, Event: event, Kind: &turnpb.Message_TimerElapsed{TimerElapsed: &turnpb.TimerElapsed{}}}
}

// TestStrayCompletions: what comes for an instance and answers nothing that it asked for.
func TestStrayCompletions(t *testing.T) {
	waits := text("O", func(ctx octx, _ string) (string, error) {
		f := ctx.Timer(time.Hour)
		event := turnstone.WaitEvent[string](ctx, "go")
		turnstone.Race(ctx, event, f)
		return event.Await()
	})
	strays := func(w *world, fail bool, m *turnpb.Message) {
		w.cfg.FailOnNondeterminism = fail
		w.open(waits)
		begin(w, waits, "i", "")
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.inject("i", m)
	}
	// failed is a failure that comes from no code: the oracle has nothing to compute again.
	failed := func(w *world, parts ...string) {
		t.Helper()
		f := w.failure("i")
		if !errors.Is(f, turnstone.ErrNondeterminism) {
			t.Errorf("failure %+v", f)
		}
		says(t, f.Error(), parts...)
		w.register()
		w.verified = true
	}
	rejected := func(w *world, parts ...string) {
		t.Helper()
		w.until("it is logged", func() bool { return strings.Contains(w.log.String(), "a completion is rejected") })
		says(t, w.log.String(), parts...)
		w.raise("i", "go", "on")
		completes(w, "i", "on")
	}
	scenario(t, "VER_060 an activity's result for a timer is nondeterminism end to end", func(w *world) {
		strays(w, true, activityResult(1, 2, `"x"`))
		failed(w, "kind mismatch", "ActivityCompleted", "TimerCreated")
	})
	scenario(t, "VER_061 a completion without a schedule is rejected and named", func(w *world) {
		strays(w, false, activityResult(1, 999, `"x"`))
		rejected(w, "no matching schedule", "999")
	})
	scenario(t, "VER_062 a timer that was never created is rejected and named", func(w *world) {
		strays(w, false, timerFired(1, 123))
		rejected(w, "TimerFired", "123")
	})
	scenario(t, "where it is to fail, a completion without a schedule does", func(w *world) {
		strays(w, true, timerFired(1, 123))
		failed(w, "TimerFired", "123")
	})
	for _, c := range []struct {
		id        string
		execution uint64
	}{{"VER_064 a completion from another execution is left out", 7}, {"VER_065 a completion from an execution to come is ignored", 999}} {
		scenario(t, c.id, func(w *world) {
			strays(w, true, activityResult(c.execution, 2, `"x"`))
			w.raise("i", "go", "real")
			completes(w, "i", "real")
		})
	}
	scenario(t, "VER_066 of two equal events a single wait takes the first", func(w *world) {
		hold := newGate()
		held := turnstone.NewActivity("Held", func(ctx actx, s string) (string, error) { return s, hold.wait(ctx) })
		o := text("O", func(ctx octx, in string) (string, error) {
			if _, err := held.Call(ctx, in); err != nil {
				return "", err
			}
			return turnstone.WaitEvent[string](ctx, "go").Await()
		})
		w.open(held, o)
		begin(w, o, "i", "")
		w.raise("i", "go", "first")
		w.raise("i", "go", "second")
		hold.open()
		completes(w, "i", "first")
	})
	scenario(t, "VER_063 a completion for an event that is no schedule is nondeterminism beside continue-as-new", func(w *world) {
		hold := newGate()
		held := turnstone.NewActivity("Held", func(ctx actx, s string) (string, error) { return s, hold.wait(ctx) })
		o := text("O", func(ctx octx, in string) (string, error) {
			if _, err := held.Call(ctx, in); err != nil {
				return "", err
			}
			return "", turnstone.ContinueAsNew(ctx, in)
		})
		w.cfg.FailOnNondeterminism = true
		w.open(held, o)
		begin(w, o, "i", "")
		w.untilHistory("i", 1, "ActivityScheduled")
		w.inject("i", activityResult(1, 1, `"x"`))
		failed(w, "no matching schedule", "event 1")
		hold.open()
	})
}

func TestRestartBetweenActivities(t *testing.T) {
	scenario(t, "VER_067 two activities around a restart each run once", func(w *world) {
		var runs atomic.Int64
		a := activity("R", func(s string) (string, error) { runs.Add(1); return "R" + s, nil })
		o := text("O", func(ctx octx, _ string) (string, error) {
			first, err := a.Call(ctx, "1")
			if err != nil {
				return "", err
			}
			ctx.Sleep(time.Second)
			second, err := a.Call(ctx, "2")
			return first + "," + second, err
		})
		w.open(a, o)
		begin(w, o, "i", "")
		w.untilHistory("i", 1, "TimerCreated")
		w.restart()
		completes(w, "i", "R1,R2")
		if n := runs.Load(); n != 2 {
			t.Errorf("%d runs", n)
		}
	})
	scenario(t, "VER_033 an activity sees its instance, execution, orchestration and name", func(w *world) {
		seen := make(chan turnstone.ActivityInfo, 2)
		a := turnstone.NewActivity("Looks", func(ctx actx, _ string) (string, error) { seen <- ctx.Info(); return "", nil })
		o := text("O", func(ctx octx, in string) (string, error) { return a.Call(ctx, in) })
		w.open(a, o)
		begin(w, o, "i", "")
		completes(w, "i", "")
		i := receive(w, "the run", seen)
		if i.Instance != "i" || i.Execution != 1 || i.Orchestration != "O" || i.Version != "1.0.0" || i.Name != "Looks" || len(seen) != 0 {
			t.Errorf("it saw %+v, and %d runs more", i, len(seen))
		}
	})
}

// TestQuickRuns: nothing polls, so nothing waits for a poll. The quickest of a few runs counts: the machine may be busy.
func TestQuickRuns(t *testing.T) {
	for id, most := range map[string]time.Duration{
		"VER_068 a simple run is quick with the usual polling": 500 * ms,
		"VER_069 a run completes with polling every 50 ms":     2 * time.Second,
		"VER_070 a run is quick with polling every 1 ms":       300 * ms,
	} {
		scenario(t, id, func(w *world) {
			o := text("O", func(ctx octx, in string) (string, error) { return upper.Call(ctx, in) })
			w.open(upper, o)
			quickest := patience
			for i := range 5 {
				began := time.Now()
				begin(w, o, fmt.Sprint("i", i), "x")
				completes(w, fmt.Sprint("i", i), "X")
				quickest = min(quickest, time.Since(began))
			}
			if quickest >= most {
				t.Errorf("the quickest run took %v, want less than %v", quickest, most)
			}
		})
	}
}
