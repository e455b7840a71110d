package replay_test

import (
	"fmt"
	"testing"
	"time"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

func TestActionToEvent(t *testing.T) {
	hist := func() []*event { return events(evS(1)) }
	sess, gpu := "sess-1", "gpu"
	scheduled := func(t *testing.T, o replay.ActivityOptions) *turnpb.ActivityScheduled {
		t.Helper()
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Activity("Greet", []byte("Alice"), o).Await()
			return nil, nil
		}, hist())
		wantKinds(t, d, "AS")
		a := d.Events[0].GetActivityScheduled()
		if got := d.Activities[0]; got.Name != a.GetName() || string(got.Input) != string(a.GetInput()) || got.Session != a.Session || got.Tag != a.Tag {
			t.Errorf("the event says %v, the work %+v", a, got)
		}
		return a
	}
	t.Run("RE_128 an activity is recorded once with name and input", func(t *testing.T) {
		if a := scheduled(t, replay.ActivityOptions{}); a.GetName() != "Greet" || string(a.GetInput()) != "Alice" {
			t.Errorf("event: %v", a)
		}
	})
	t.Run("RE_129 an activity on a session is recorded with it", func(t *testing.T) {
		if a := scheduled(t, replay.ActivityOptions{Session: &sess}); a.GetSession() != "sess-1" {
			t.Errorf("event: %v", a)
		}
	})
	t.Run("RE_131 a timer is recorded once with the time at which it fires", func(t *testing.T) {
		d := after(t, minute, hist())
		wantKinds(t, d, "TC")
		if d.Events[0].GetTimerCreated().GetFireAtMs() <= 0 {
			t.Errorf("event: %v", d.Events[0])
		}
	})
	t.Run("RE_132 a wait is recorded once with its name", func(t *testing.T) {
		d := after(t, waits("E"), hist())
		wantKinds(t, d, "XS")
		if d.Events[0].GetExternalSubscribed().GetName() != "E" {
			t.Errorf("event: %v", d.Events[0])
		}
	})
	t.Run("RE_133 a child that is not awaited is recorded with name and input", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			child(c, "C", "in")
			return []byte("done"), nil
		}, hist())
		wantCompleted(t, d, "done")
		wantKinds(t, d, "SS SCancel(2)")
		if s := d.Events[0].GetSubOrchestrationScheduled(); s.GetName() != "C" || string(s.GetInput()) != "in" {
			t.Errorf("event: %v", s)
		}
	})
	detached := func(c *replay.Context, _ []byte) ([]byte, error) {
		c.Detached("D", "d-1", []byte("in"), replay.DetachedOptions{Version: "2.0.0"})
		return []byte("scheduled"), nil
	}
	t.Run("RE_134 a detached start is recorded with name, instance and input", func(t *testing.T) {
		d := after(t, detached, hist())
		wantCompleted(t, d, "scheduled")
		wantKinds(t, d, "Chained")
		c := d.Events[0].GetOrchestrationChained()
		if c.GetName() != "D" || c.GetInstance() != "d-1" || string(c.GetInput()) != "in" {
			t.Errorf("event: %v", c)
		}
		if len(d.Detached) != 1 || d.Detached[0].Instance != "d-1" || d.Detached[0].Version != "2.0.0" {
			t.Errorf("detached: %+v", d.Detached)
		}
	})
	t.Run("RE_135 two activities that are not awaited are recorded twice", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			activity(c, "A", "")
			activity(c, "B", "")
			c.Timer(time.Second).Await()
			return nil, nil
		}, hist())
		wantKinds(t, d, "AS AS TC")
	})
	t.Run("RE_136 a detached start keeps later event ids the same on replay", func(t *testing.T) {
		code := func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Detached("D", "d-1", []byte("in"), replay.DetachedOptions{})
			s, err := text(activity(c, "A", ""))
			return []byte(s), err
		}
		d := after(t, code, hist())
		wantKinds(t, d, "Chained AS")
		wantCompleted(t, after(t, code, append(hist(), d.Events...), msgAC(3, "r")), "r")
	})
	t.Run("RE_137 an activity's tag is recorded", func(t *testing.T) {
		if a := scheduled(t, replay.ActivityOptions{Tag: &gpu}); a.GetTag() != "gpu" {
			t.Errorf("event: %v", a)
		}
	})
	t.Run("F_28: what a tag or a session points to is copied", func(t *testing.T) {
		_, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			tag, session := "gpu", "s"
			f := c.Activity("A", nil, replay.ActivityOptions{Tag: &tag, Session: &session})
			tag, session = "changed", "changed"
			_, err := f.Await()
			return nil, err
		})
		if a := d.Activities[0]; *a.Tag != "gpu" || *a.Session != "s" {
			t.Errorf("tag %q, session %q", *a.Tag, *a.Session)
		}
	})
	t.Run("RE_138 an activity without a tag is recorded without one", func(t *testing.T) {
		if a := scheduled(t, replay.ActivityOptions{}); a.Tag != nil || a.Session != nil {
			t.Errorf("event: %v", a)
		}
	})
}

// racing lets activities race a timer.
func racing(names ...string) replay.Func {
	return func(c *replay.Context, _ []byte) ([]byte, error) {
		var fs []*replay.Future
		for _, n := range names {
			fs = append(fs, activity(c, n, ""))
		}
		fs = append(fs, c.Timer(time.Minute))
		if won := c.Race(fs...); won < len(names) {
			return []byte("activity_won"), nil
		}
		return []byte("timer_won"), nil
	}
}

func raceChild(c *replay.Context, _ []byte) ([]byte, error) {
	if c.Race(child(c, "C", ""), c.Timer(time.Minute)) == 1 {
		return []byte("timer_won"), nil
	}
	return []byte("child_won"), nil
}

func TestDropped(t *testing.T) {
	one := events(evS(1), evAS(2, "A", ""), evTC(3))
	t.Run("RE_142 an activity that loses to a timer is cancelled", func(t *testing.T) {
		d := after(t, racing("A"), one, msgTF(3))
		wantCompleted(t, d, "timer_won")
		wantIDs(t, "cancelled", d.CancelledActivities, 2)
	})
	t.Run("RE_143 a timer that loses to an activity needs no cancellation", func(t *testing.T) {
		d := after(t, racing("A"), one, msgAC(2, "r"))
		wantCompleted(t, d, "activity_won")
		wantIDs(t, "cancelled", d.CancelledActivities)
		// Ours: a cancelled timer is deleted in the commit that cancels it; it leaves no event.
		if len(d.CancelledTimers) != 1 || d.CancelledTimers[0].Event != 3 || d.CancelledTimers[0].FireAtMs != 5 {
			t.Errorf("cancelled timers: %+v", d.CancelledTimers)
		}
	})
	t.Run("RE_144 both activities that lose to a timer are cancelled", func(t *testing.T) {
		d := after(t, racing("A", "B"), events(evS(1), evAS(2, "A", ""), evAS(3, "B", ""), evTC(4)), msgTF(4))
		wantIDs(t, "cancelled", d.CancelledActivities, 2, 3)
	})
	t.Run("RE_145 an activity that completed is not cancelled", func(t *testing.T) {
		d := after(t, greet, events(evS(1), evAS(2, "Greet", "Alice")), msgAC(2, "r"))
		wantIDs(t, "cancelled", d.CancelledActivities)
	})
	t.Run("RE_146 an activity that is dropped is cancelled in the turn that scheduled it", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			activity(c, "A", "").Cancel()
			return []byte("done"), nil
		}, events(evS(1)))
		wantKinds(t, d, "AS ACancel(2)")
		wantReasons(t, d, replay.ReasonDropped)
		wantIDs(t, "cancelled", d.CancelledActivities, 2)
	})
	t.Run("RE_147 a timer that is dropped needs no cancellation", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Timer(time.Minute).Cancel()
			return []byte("done"), nil
		}, events(evS(1)))
		wantCompleted(t, d, "done")
		wantKinds(t, d, "TC")
		if len(d.CancelledActivities)+len(d.CancelledTimers)+len(d.Timers) != 0 {
			t.Errorf("decision: %+v", d)
		}
	})
	t.Run("RE_148 a wait that is dropped cancels no activity", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.WaitEvent("E", positional).Cancel()
			return []byte("done"), nil
		}, events(evS(1)))
		wantCompleted(t, d, "done")
		wantKinds(t, d, "XS XCancel(2)")
		wantIDs(t, "cancelled", d.CancelledActivities)
	})
	t.Run("RE_149 of what is dropped at the return only activities are cancelled", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			activity(c, "A", "")
			activity(c, "B", "")
			c.Timer(time.Minute)
			return nil, nil
		}, events(evS(1)))
		wantIDs(t, "cancelled", d.CancelledActivities, 2, 3)
	})
	t.Run("RE_150 a child that is dropped is cancelled and the request recorded", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			child(c, "C", "").Cancel()
			return nil, nil
		}, events(evS(1)))
		wantKinds(t, d, "SS SCancel(2)")
		wantReasons(t, d, replay.ReasonDropped)
		if len(d.CancelledChildren) != 1 || !d.CancelledChildren[0].Unsent {
			t.Errorf("cancelled children: %+v", d.CancelledChildren)
		}
	})
	t.Run("RE_151 a child that loses to a timer is cancelled", func(t *testing.T) {
		d := after(t, raceChild, events(evS(1), evSS(2, "C", "sub::2", ""), evTC(3)), msgTF(3))
		wantCompleted(t, d, "timer_won")
		want := replay.CancelledChild{Event: 2, Instance: "inst::sub::2", Reason: "parent dropped sub-orchestration future"}
		if len(d.CancelledChildren) != 1 || d.CancelledChildren[0] != want {
			t.Errorf("cancelled children: %+v", d.CancelledChildren)
		}
	})
	t.Run("RE_152 a lost race without a recorded cancellation cancels on replay", func(t *testing.T) {
		d := after(t, racing("A"), append(one[:3:3], evTF(4, 3)))
		wantIDs(t, "cancelled", d.CancelledActivities, 2)
		wantKinds(t, d, "ACancel(2)")
	})
	t.Run("RE_153 a child that completed is not cancelled", func(t *testing.T) {
		d := after(t, raceChild, events(evS(1), evSS(2, "C", "sub::2", ""), evTC(3)), msgSC(2, "r"))
		wantCompleted(t, d, "child_won")
		if len(d.CancelledChildren) != 0 {
			t.Errorf("cancelled children: %+v", d.CancelledChildren)
		}
	})
	t.Run("RE_154 an activity that is dropped before a wait is cancelled in that turn", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			activity(c, "A", "").Cancel()
			c.Timer(time.Minute).Await()
			return nil, nil
		}, events(evS(1)))
		wantRunning(t, d)
		wantIDs(t, "cancelled", d.CancelledActivities, 2)
		if len(d.Activities) != 0 || len(d.Timers) != 1 {
			t.Errorf("activities %+v, timers %+v", d.Activities, d.Timers)
		}
	})
}

func TestDroppedAcrossTurns(t *testing.T) {
	t.Run("RE_156 awaiting an activity whose cancellation is recorded is nondeterminism", func(t *testing.T) {
		d := after(t, greet, events(evS(1), evAS(2, "Greet", "Alice"), evACancel(3, 2, replay.ReasonDropped), evAC(4, 2, "r")))
		wantNondeterminism(t, d, "cancellation mismatch (activities)", "event 2")
	})
	t.Run("RE_157 an activity that loses in a later turn is cancelled and recorded once", func(t *testing.T) {
		d := after(t, racing("A"), events(evS(1), evAS(2, "A", ""), evTC(3)), msgTF(3))
		wantIDs(t, "cancelled", d.CancelledActivities, 2)
		wantKinds(t, d, "TF(3) ACancel(2)")
	})
	t.Run("RE_158 a child that loses in a later turn is cancelled and recorded once", func(t *testing.T) {
		d := after(t, raceChild, events(evS(1), evSS(2, "C", "sub::2", ""), evTC(3)), msgTF(3))
		wantKinds(t, d, "TF(3) SCancel(2)")
		if len(d.CancelledChildren) != 1 || d.CancelledChildren[0].Instance != "inst::sub::2" {
			t.Errorf("cancelled children: %+v", d.CancelledChildren)
		}
	})
	t.Run("RE_160 a recorded cancellation of a child is not asked for again", func(t *testing.T) {
		d := after(t, raceChild, events(evS(1), evSS(2, "C", "sub::2", ""), evTC(3), evTF(4, 3), evSCancel(5, 2, replay.ReasonDropped)))
		wantCompleted(t, d, "timer_won")
		wantKinds(t, d, "")
		if len(d.CancelledChildren) != 0 {
			t.Errorf("cancelled children: %+v", d.CancelledChildren)
		}
	})
	t.Run("RE_161 a new cancellation beside a recorded one is the only one asked for", func(t *testing.T) {
		code := func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Race(activity(c, "A", ""), c.Timer(time.Minute))
			activity(c, "B", "").Cancel()
			c.Timer(time.Minute).Await()
			return nil, nil
		}
		d := after(t, code, events(evS(1), evAS(2, "A", ""), evTC(3), evTF(4, 3), evACancel(5, 2, replay.ReasonDropped)))
		wantRunning(t, d)
		wantIDs(t, "cancelled", d.CancelledActivities, 6)
		wantKinds(t, d, "AS TC ACancel(6)")
	})
	t.Run("RE_163 two recorded cancellations of one activity are harmless", func(t *testing.T) {
		d := after(t, racing("A"), events(evS(1), evAS(2, "A", ""), evTC(3), evTF(4, 3), evACancel(5, 2, replay.ReasonDropped), evACancel(6, 2, replay.ReasonFailed)))
		wantCompleted(t, d, "timer_won")
	})
	t.Run("RE_164 two recorded cancellations of one child are harmless", func(t *testing.T) {
		d := after(t, raceChild, events(evS(1), evSS(2, "C", "sub::2", ""), evTC(3), evTF(4, 3), evSCancel(5, 2, replay.ReasonDropped), evSCancel(6, 2, replay.ReasonDropped)))
		wantCompleted(t, d, "timer_won")
	})
	t.Run("a completion after a cancel request reaches nobody", func(t *testing.T) {
		code := func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Race(activity(c, "A", ""), c.Timer(time.Minute))
			s, err := text(activity(c, "B", ""))
			return []byte(s), err
		}
		h := events(evS(1), evAS(2, "A", ""), evTC(3), evTF(4, 3), evAS(5, "B", ""), evACancel(6, 2, replay.ReasonDropped))
		d := after(t, code, h, msgAC(2, "late"))
		wantRunning(t, d)
		wantKinds(t, d, "AC(2)")
		d = after(t, code, append(h, d.Events...), msgAC(5, "b"))
		wantCompleted(t, d, "b")
	})
	t.Run("both in one batch, the timer first", func(t *testing.T) {
		d := after(t, racing("A"), events(evS(1), evAS(2, "A", ""), evTC(3)), msgTF(3), msgAC(2, "late"))
		wantCompleted(t, d, "timer_won")
		// The breadcrumb says what the code did; the work is done, so there is nothing to delete.
		wantKinds(t, d, "TF(3) AC(2) ACancel(2)")
		wantIDs(t, "cancelled", d.CancelledActivities)
	})
	t.Run("new code that no longer drops", func(t *testing.T) {
		code := func(c *replay.Context, _ []byte) ([]byte, error) {
			a := activity(c, "A", "")
			c.Select(a, c.Timer(time.Minute))
			a.Await()
			return nil, nil
		}
		d := after(t, code, events(evS(1), evAS(2, "A", ""), evTC(3), evTF(4, 3), evACancel(5, 2, replay.ReasonDropped)))
		wantNondeterminism(t, d, "cancellation mismatch (activities)")
	})
	t.Run("new code that drops more", func(t *testing.T) {
		code := func(c *replay.Context, _ []byte) ([]byte, error) {
			activity(c, "A", "").Cancel()
			s, err := text(activity(c, "B", ""))
			return []byte(s), err
		}
		d := after(t, code, events(evS(1), evAS(2, "A", ""), evAS(3, "B", "")))
		wantRunning(t, d)
		wantKinds(t, d, "ACancel(2)")
	})
}

func TestEngineObject(t *testing.T) {
	both := func(c *replay.Context, _ []byte) ([]byte, error) {
		c.All(activity(c, "A", ""), activity(c, "B", ""))
		return []byte("both"), nil
	}
	t.Run("RE_165 a new machine has its history, no new events and no progress", func(t *testing.T) {
		m := replay.New(config(greet))
		defer m.Close()
		m.Load(replay.Segments(flat(evS(1), evAS(2, "Greet", "Alice"))))
		if m.Started().GetName() != "Test" || m.NextEvent() != 3 || m.Replayed() != 0 || m.Ended() {
			t.Errorf("loading ran something: next %d, replayed %d", m.NextEvent(), m.Replayed())
		}
	})
	t.Run("RE_166 two completions of two open activities are progress", func(t *testing.T) {
		d := after(t, both, events(evS(1), evAS(2, "A", ""), evAS(3, "B", "")), msgAC(2, "a"), msgAC(3, "b"))
		if d.Converted != 2 || !d.Progress {
			t.Errorf("converted %d, progress %v", d.Converted, d.Progress)
		}
	})
	t.Run("RE_167 an event for an open wait is progress", func(t *testing.T) {
		d := after(t, waits("E"), events(evS(1), evXS(2, "E")), msgXE("E", "x"))
		if d.Converted != 1 || !d.Progress {
			t.Errorf("converted %d, progress %v", d.Converted, d.Progress)
		}
	})
	t.Run("RE_168 two repeated completions add nothing", func(t *testing.T) {
		d := after(t, two("A", "B"), events(evS(1), evAS(2, "A", "in"), evAC(3, 2, "r"), evAS(4, "B", "in")), msgAC(2, "r"), msgAC(2, "r"))
		wantKinds(t, d, "")
		wantRejected(t, d, 2)
	})
	t.Run("RE_169 a handler's output is the instance's", func(t *testing.T) { wantCompleted(t, after(t, returns("output"), events(evS(1))), "output") })
	t.Run("RE_170 a handler's error is the instance's failure", func(t *testing.T) {
		d := after(t, func(*replay.Context, []byte) ([]byte, error) { return nil, fmt.Errorf("orchestration-error") }, events(evS(1)))
		a := d.Failure.GetApplication()
		if a.GetKind() != kindOrchestrationFailed || a.GetMessage() != "orchestration-error" {
			t.Errorf("failure: %v", d.Failure)
		}
	})
	t.Run("RE_171 a completion that a handler never awaits is no obstacle to its end", func(t *testing.T) {
		wantCompleted(t, after(t, early(returns("ok")), events(evS(1), evAS(999, "A", ""), evAC(1000, 999, "r"))), "ok")
	})
	t.Run("RE_172 new events follow the old ones in order", func(t *testing.T) {
		m := replay.New(config(two("A", "B")))
		defer m.Close()
		h := events(evS(1), evAS(2, "A", "in"))
		m.Load(replay.Segments(flat(h...)))
		d := m.Advance(input(msgAC(2, "r")))
		h = append(h, d.Events[:1]...)
		if len(h) != 3 || h[2].GetId() != 3 || h[2].GetSource() != 2 {
			t.Errorf("history: %v", h)
		}
	})
	t.Run("RE_173 progress says whether a turn has new events, turn by turn", func(t *testing.T) {
		m := replay.New(config(both))
		defer m.Close()
		m.Load(replay.Segments(flat(evS(1), evAS(2, "A", ""), evAS(3, "B", ""))))
		for i, want := range []bool{false, true, false} {
			in := input()
			if want {
				in = input(msgAC(2, "a"))
			}
			if d := m.Advance(in); d.Progress != want {
				t.Errorf("turn %d: progress %v", i, d.Progress)
			}
		}
	})
}
