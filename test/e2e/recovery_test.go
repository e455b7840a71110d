package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// fourSteps does steps 1 and 2, waits for the event Resume, and does steps 3 and 4.
func fourSteps(runs *tally) (*turnstone.Activity[string, string], *orch[string, string]) {
	step := turnstone.NewActivity("Step", func(_ actx, s string) (string, error) { runs.add(s); return s, nil })
	return step, text("Flow", func(ctx octx, _ string) (string, error) {
		out := ""
		for _, s := range []string{"1", "2", "3", "4"} {
			if s == "3" {
				if err := turnstone.WaitEvent[string](ctx, "Resume").Err(); err != nil {
					return "", err
				}
			}
			v, err := step.Call(ctx, s)
			if err != nil {
				return "", err
			}
			out += v
		}
		return out, nil
	})
}

func (h events) scheduledActivities() []string {
	var names []string
	for _, e := range h {
		if s := e.GetActivityScheduled(); s != nil {
			names = append(names, s.GetName()+string(s.GetInput()))
		}
	}
	return names
}

func TestRecovery(t *testing.T) {
	scenario(t, "REL_001 a run of four steps goes on after a restart and schedules each step once", func(w *world) {
		step, o := fourSteps(newTally())
		w.open(step, o)
		begin(w, o, "i", "")
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.restart()
		w.raise("i", "Resume", "")
		completes(w, "i", "1234")
		if got := w.history("i", 0).scheduledActivities(); !slices.Equal(got, []string{`Step"1"`, `Step"2"`, `Step"3"`, `Step"4"`}) {
			t.Errorf("scheduled %v", got)
		}
	})
	// Two stores know nothing of each other.
	scenario(t, "REL_002 the same run on two stores begins anew", func(w *world) {
		step, o := fourSteps(newTally())
		w.open(step, o)
		begin(w, o, "i", "")
		w.untilHistory("i", 1, "ExternalSubscribed")
		other := newWorld(t, w.resident)
		runs := newTally()
		step2, o2 := fourSteps(runs)
		other.open(step2, o2)
		begin(other, o2, "i", "")
		other.raise("i", "Resume", "")
		completes(other, "i", "1234")
		if runs.of("1") != 1 || runs.of("4") != 1 {
			t.Errorf("the second store ran step 1 %d times, step 4 %d times", runs.of("1"), runs.of("4"))
		}
		other.finish()
	})
	scenario(t, "REL_003 what waits is found when the store is opened", func(w *world) {
		hold := newGate()
		held := turnstone.NewActivity("Held", func(ctx actx, s string) (string, error) { return "held:" + s, hold.wait(ctx) })
		flows := map[string]*orch[string, string]{
			"timer": text("Timer", func(ctx octx, _ string) (string, error) {
				ctx.Sleep(200 * ms)
				return "timer", nil
			}),
			"activity": text("Activity", func(ctx octx, _ string) (string, error) {
				a, err := upper.Call(ctx, "done")
				if err != nil {
					return "", err
				}
				b, err := held.Call(ctx, "x")
				return a + b, err
			}),
			"event": text("Event", func(ctx octx, _ string) (string, error) {
				return turnstone.WaitEvent[string](ctx, "go").Await()
			}),
			"parent": text("Parent", func(ctx octx, _ string) (string, error) {
				v, err := ctx.CallChild("Event", []byte(`""`), turnstone.WithChildID("child"))
				return "parent:" + strings.Trim(string(v), `"`), err
			}),
			"loop": text("Loop", func(ctx octx, s string) (string, error) {
				if s == "" {
					return "", turnstone.ContinueAsNew(ctx, "second")
				}
				v, err := held.Call(ctx, s)
				return v, err
			}),
		}
		handlers := []turnstone.Handler{upper, held}
		for _, name := range []string{"timer", "activity", "event", "parent", "loop"} {
			handlers = append(handlers, flows[name])
		}
		w.open(handlers...)
		for name, o := range flows {
			begin(w, o, name, "")
		}
		w.untilHistory("timer", 1, "TimerCreated")
		w.untilHistory("activity", 2, "ActivityScheduled")
		w.untilHistory("event", 1, "ExternalSubscribed")
		w.untilHistory("child", 1, "ExternalSubscribed")
		w.untilExecution("loop", 2)
		w.crash()
		hold.open()
		w.start()
		w.raise("event", "go", "ev")
		w.raise("child", "go", "ch")
		for name, want := range map[string]string{
			"timer": "timer", "activity": "DONEheld:x", "event": "ev", "parent": "parent:ch", "loop": "held:second",
		} {
			completes(w, name, want)
		}
	})
	scenario(t, "REL_013 three activities that a crash cut off run again and complete", func(w *world) {
		hold, runs := newGate(), newTally()
		held := turnstone.NewActivity("Held", func(ctx actx, s string) (string, error) {
			runs.add("any")
			return s, hold.wait(ctx)
		})
		o := text("O", func(ctx octx, _ string) (string, error) {
			all, err := turnstone.Results(ctx, held.Start(ctx, "a"), held.Start(ctx, "b"), held.Start(ctx, "c"))
			return strings.Join(all, ""), err
		})
		w.open(held, o)
		begin(w, o, "i", "")
		w.until("all three run", func() bool { return runs.of("any") == 3 })
		w.crash()
		hold.open()
		w.start()
		completes(w, "i", "abc")
		if n := runs.of("any"); n != 6 {
			t.Errorf("%d runs, want 6: each of them again after the crash", n)
		}
	})
}

func timerElapsed(event uint64, fireAtMs int64) *turnpb.Message {
	return &turnpb.Message{Execution: 1, Event: event, Kind: &turnpb.Message_TimerElapsed{
		TimerElapsed: &turnpb.TimerElapsed{FireAtMs: fireAtMs},
	}}
}

// What arrives twice is recorded, or counts, once.
func TestDuplicates(t *testing.T) {
	waitGo := text("O", func(ctx octx, _ string) (string, error) {
		return turnstone.WaitEvent[string](ctx, "go").Await()
	})
	scenario(t, "REL_004 an event that comes twice is recorded twice and taken once", func(w *world) {
		w.open(waitGo)
		begin(w, waitGo, "i", "")
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.crash()
		w.cfg.TurnSlots = -1
		w.start()
		w.raise("i", "go", "ok")
		w.raise("i", "go", "ok")
		w.cfg.TurnSlots = 8
		w.restart()
		completes(w, "i", "ok")
		if n := w.history("i", 0).count("ExternalEvent"); n != 2 {
			t.Errorf("%d events in history, want 2", n)
		}
	})
	scenario(t, "REL_007 an event that comes twice before the first turn is recorded twice", func(w *world) {
		w.cfg.TurnSlots = -1
		w.open(waitGo)
		begin(w, waitGo, "i", "")
		w.raise("i", "go", "ok")
		w.raise("i", "go", "ok")
		w.cfg.TurnSlots = 8
		w.restart()
		completes(w, "i", "ok")
		if n := w.history("i", 0).count("ExternalEvent"); n != 2 {
			t.Errorf("%d events in history, want 2", n)
		}
	})
	// REL_005: duplicates that are queued before the timer is due. REL_008: one that comes when it has fired.
	timerFlow := text("T", func(ctx octx, _ string) (string, error) {
		ctx.Sleep(50 * ms)
		return "t", turnstone.WaitEvent[string](ctx, "end").Err()
	})
	scenario(t, "REL_005 a timer that is told of twice fires once", func(w *world) {
		w.open(timerFlow)
		begin(w, timerFlow, "i", "")
		w.untilHistory("i", 1, "TimerCreated")
		at := w.history("i", 0).first(t, "TimerCreated").GetTimerCreated().GetFireAtMs()
		w.inject("i", timerElapsed(2, at))
		w.inject("i", timerElapsed(2, at))
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.raise("i", "end", "")
		completes(w, "i", "t")
		if n := w.history("i", 0).count("TimerFired"); n != 1 {
			t.Errorf("%d timers fired", n)
		}
	})
	scenario(t, "REL_008 a timer that is told of after it fired does not fire again", func(w *world) {
		w.open(timerFlow)
		begin(w, timerFlow, "i", "")
		w.untilHistory("i", 1, "TimerFired")
		w.crash()
		w.start()
		w.inject("i", timerElapsed(2, w.history("i", 0).first(t, "TimerCreated").GetTimerCreated().GetFireAtMs()))
		w.raise("i", "end", "")
		completes(w, "i", "t")
		if n := w.history("i", 0).count("TimerFired"); n != 1 {
			t.Errorf("%d timers fired", n)
		}
	})
	scenario(t, "REL_006 an activity that is answered three times completes once", func(w *world) {
		hold := newGate()
		held := turnstone.NewActivity("Held", func(ctx actx, s string) (string, error) { return "own", hold.wait(ctx) })
		o := text("O", func(ctx octx, _ string) (string, error) {
			v, err := held.Call(ctx, "")
			if err != nil {
				return "", err
			}
			return v, turnstone.WaitEvent[string](ctx, "end").Err()
		})
		w.open(held, o)
		begin(w, o, "i", "")
		w.untilHistory("i", 1, "ActivityScheduled")
		w.inject("i", activityResult(1, 2, `"injected"`))
		w.inject("i", activityResult(1, 2, `"injected"`))
		w.untilHistory("i", 1, "ExternalSubscribed")
		hold.open() // the worker's own answer comes third
		w.raise("i", "end", "")
		completes(w, "i", "injected")
		if n := w.history("i", 0).count("ActivityCompleted"); n != 1 {
			t.Errorf("%d completions", n)
		}
	})
	scenario(t, "REL_009 a run with one wait has four events", func(w *world) {
		w.open(waitGo)
		begin(w, waitGo, "i", "")
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.raise("i", "go", "x")
		completes(w, "i", "x")
		want := []string{"OrchestrationStarted", "ExternalSubscribed", "ExternalEvent", "OrchestrationCompleted"}
		if got := w.history("i", 0).kinds(); !slices.Equal(got, want) {
			t.Errorf("history %v", got)
		}
	})
}

// A timer against an event: the one that comes first in the history wins.
func TestTimerAgainstEvent(t *testing.T) {
	flow := turnstone.NewOrchestration("O", func(ctx octx, timerMs int) (string, error) {
		event := turnstone.WaitEvent[string](ctx, "go")
		timer := ctx.Timer(msOf(timerMs))
		won := turnstone.Select(ctx, timer, event)
		if err := turnstone.All(ctx, timer, event); err != nil { // both, so that both are in the history
			return "", err
		}
		return fmt.Sprint([]string{"timer", "ok"}[won]), nil
	})
	order := func(w *world, first, second string) {
		w.t.Helper()
		kinds := w.history("i", 0).kinds()
		if a, b := slices.Index(kinds, first), slices.Index(kinds, second); a < 0 || b < 0 || a > b {
			w.t.Errorf("history %v: %s is not before %s", kinds, first, second)
		}
	}
	scenario(t, "REL_010 a timer that comes first is recorded before the event", func(w *world) {
		w.open(flow)
		begin(w, flow, "i", 10)
		w.untilHistory("i", 1, "TimerFired")
		w.raise("i", "go", "")
		completes(w, "i", "timer")
		order(w, "TimerFired", "ExternalEvent")
	})
	scenario(t, "REL_011 an event that comes first is recorded before the timer", func(w *world) {
		w.open(flow)
		begin(w, flow, "i", 400)
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.raise("i", "go", "")
		completes(w, "i", "ok")
		order(w, "ExternalEvent", "TimerFired")
	})
}
