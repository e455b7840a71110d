package replay_test

import (
	"errors"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/replay"
)

// two runs two activities one after the other and joins what they give.
func two(first, second string) replay.Func {
	return func(c *replay.Context, _ []byte) ([]byte, error) {
		a, err := text(activity(c, first, "in"))
		if err != nil {
			return nil, err
		}
		b, err := text(activity(c, second, "in"))
		return []byte(a + "," + b), err
	}
}

func minute(c *replay.Context, _ []byte) ([]byte, error) {
	_, err := c.Timer(time.Minute).Await()
	return []byte("timer_done"), err
}

func waits(name string) replay.Func {
	return func(c *replay.Context, _ []byte) ([]byte, error) {
		s, err := text(c.WaitEvent(name, positional))
		return []byte(s), err
	}
}

func parent(c *replay.Context, _ []byte) ([]byte, error) {
	s, err := text(child(c, "ChildOrch", "child-input"))
	return []byte(s), err
}

func TestFresh(t *testing.T) {
	hist := func() []*event { return events(evS(1)) }
	t.Run("RE_001 a handler that returns at once completes and asks for nothing", func(t *testing.T) {
		d := after(t, returns("success"), hist())
		wantCompleted(t, d, "success")
		wantKinds(t, d, "")
	})
	t.Run("RE_002 a handler that returns an error fails and asks for nothing", func(t *testing.T) {
		d := after(t, func(*replay.Context, []byte) ([]byte, error) { return nil, errors.New("bad") }, hist())
		wantFailed(t, d, "application", "bad")
		wantKinds(t, d, "")
	})
	t.Run("RE_003 awaiting an activity records its schedule and suspends", func(t *testing.T) {
		d := after(t, greet, hist())
		wantRunning(t, d)
		wantKinds(t, d, "AS")
		if len(d.Activities) != 1 || d.Activities[0].Name != "Greet" || string(d.Activities[0].Input) != "Alice" {
			t.Errorf("activities: %+v", d.Activities)
		}
	})
	t.Run("RE_004 awaiting a timer records it and suspends", func(t *testing.T) {
		d := after(t, minute, hist())
		wantRunning(t, d)
		wantKinds(t, d, "TC")
		if len(d.Timers) != 1 || d.Timers[0].FireAtMs != 1_000+60_000 {
			t.Errorf("timers: %+v", d.Timers)
		}
	})
	t.Run("RE_005 awaiting an event records the subscription and suspends", func(t *testing.T) {
		d := after(t, waits("Approval"), hist())
		wantRunning(t, d)
		wantKinds(t, d, "XS")
		if s := d.Events[0].GetExternalSubscribed(); s.GetName() != "Approval" || s.GetMode() != positional {
			t.Errorf("subscription: %v", s)
		}
	})
	t.Run("RE_006 awaiting a child records its start and suspends", func(t *testing.T) {
		d := after(t, parent, hist())
		wantRunning(t, d)
		if len(d.Children) != 1 || d.Children[0].Name != "ChildOrch" || string(d.Children[0].Input) != "child-input" {
			t.Errorf("children: %+v", d.Children)
		}
	})
	t.Run("RE_007 continue-as-new ends the execution with the next input", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			_, err := c.ContinueAsNew([]byte("new-input"), "").Await()
			return nil, err
		}, hist())
		if d.Outcome != replay.ContinuedAsNew || string(d.Next.GetInput()) != "new-input" {
			t.Errorf("outcome %d, next %v", d.Outcome, d.Next)
		}
	})
	t.Run("RE_008 continue-as-new keeps the start of a child that is not awaited", func(t *testing.T) {
		// The child follows its policy at the end of the execution: the default cancels it before it was
		// sent; one to be abandoned is sent.
		for _, policy := range []childPolicy{policyCancel, policyAbandon} {
			d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
				c.Child("ChildOrch", []byte("x"), replay.ChildOptions{Policy: policy})
				_, err := c.ContinueAsNew([]byte("new-input"), "").Await()
				return nil, err
			}, hist())
			if d.Outcome != replay.ContinuedAsNew || string(d.Next.GetInput()) != "new-input" {
				t.Errorf("outcome %d, next %v", d.Outcome, d.Next)
			}
			wantKinds(t, d, "SS")
			sent := policy == policyAbandon
			if (len(d.Children) == 1) != sent || (len(d.CancelledChildren) == 0) != sent {
				t.Errorf("policy %v: children %+v, cancelled %+v", policy, d.Children, d.CancelledChildren)
			}
			if !sent && !d.CancelledChildren[0].Unsent {
				t.Error("the cancelled child was never sent, and the decision does not say so")
			}
		}
	})
	t.Run("RE_009 activities that are scheduled and not awaited are cancelled behind their schedules at the end", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			activity(c, "A", "")
			activity(c, "B", "")
			activity(c, "C", "")
			return []byte("done"), nil
		}, hist())
		wantCompleted(t, d, "done")
		wantKinds(t, d, "AS AS AS ACancel(2) ACancel(3) ACancel(4)")
		wantReasons(t, d, replay.ReasonDropped)
		if len(d.Activities) != 0 {
			t.Errorf("an activity that was given up would run: %+v", d.Activities)
		}
	})
}

func TestReplayWithCompletions(t *testing.T) {
	t.Run("RE_010 a completed activity in history gives its result again", func(t *testing.T) {
		d := after(t, greet, events(evS(1), evAS(2, "Greet", "Alice"), evAC(3, 2, "Hello, Alice!")))
		wantCompleted(t, d, "Hello, Alice!")
		wantKinds(t, d, "")
	})
	t.Run("RE_011 a failed activity in history fails a handler that returns its error", func(t *testing.T) {
		d := after(t, greet, events(evS(1), evAS(2, "Greet", "Alice"), evAF(3, 2, "service unavailable")))
		wantFailed(t, d, "application", "service unavailable")
		if d.Failure.GetApplication().GetKind() != kindOrchestrationFailed {
			t.Errorf("kind: %v", d.Failure)
		}
	})
	t.Run("RE_012 a timer that fired in history stands, whenever it would be due now", func(t *testing.T) {
		wantCompleted(t, after(t, minute, events(evS(1), evTC(2), evTF(3, 2))), "timer_done")
	})
	t.Run("RE_013 an event in history is what its wait gives", func(t *testing.T) {
		wantCompleted(t, after(t, waits("Approval"), events(evS(1), evXS(2, "Approval"), evXE(3, "Approval", "approved-data"))), "approved-data")
	})
	t.Run("RE_014 a child's result in history is what its call gives", func(t *testing.T) {
		wantCompleted(t, after(t, parent, events(evS(1), evSS(2, "ChildOrch", "sub::2", "child-input"), evSC(3, 2, "child-result"))), "child-result")
	})
}

func TestPartialCompletion(t *testing.T) {
	cases := []struct {
		id   string
		code replay.Func
		hist []*event
	}{
		{"RE_015 an open activity is not scheduled again on replay", greet, events(evS(1), evAS(2, "Greet", "Alice"))},
		{"RE_016 an open timer is not created again on replay", minute, events(evS(1), evTC(2))},
		{"RE_017 an open subscription is not made again on replay", waits("E"), events(evS(1), evXS(2, "E"))},
		{"RE_018 an open child is not started again on replay", parent, events(evS(1), evSS(2, "ChildOrch", "sub::2", "child-input"))},
	}
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) {
			d := after(t, c.code, c.hist)
			wantRunning(t, d)
			wantKinds(t, d, "")
			if len(d.Activities)+len(d.Timers)+len(d.Children) != 0 {
				t.Errorf("work was asked for again: %+v", d)
			}
		})
	}
}

func TestSequentialProgress(t *testing.T) {
	t.Run("RE_019 a second activity is scheduled once the first is in history", func(t *testing.T) {
		d := after(t, two("A1", "A2"), events(evS(1), evAS(2, "A1", "in"), evAC(3, 2, "result1")))
		wantRunning(t, d)
		if len(d.Activities) != 1 || d.Activities[0].Name != "A2" {
			t.Errorf("activities: %+v", d.Activities)
		}
	})
	t.Run("RE_020 two activities in a row give both results on replay", func(t *testing.T) {
		wantCompleted(t, after(t, two("A1", "A2"), events(evS(1), evAS(2, "A1", "in"), evAC(3, 2, "result1"),
			evAS(4, "A2", "in"), evAC(5, 4, "result2"))), "result1,result2")
	})
	t.Run("RE_021 results of equal activities are told apart by the event that scheduled them", func(t *testing.T) {
		both := func(c *replay.Context, _ []byte) ([]byte, error) {
			x, y := activity(c, "Same", "in"), activity(c, "Same", "in")
			c.All(x, y)
			a, _ := text(x)
			b, _ := text(y)
			return []byte(a + "," + b), nil
		}
		wantCompleted(t, after(t, both, events(evS(1), evAS(2, "Same", "in"), evAS(3, "Same", "in"),
			evAC(4, 3, "R2"), evAC(5, 2, "R1"))), "R1,R2")
	})
	t.Run("RE_022 an activity, a timer and the same activity again go on turn by turn from history", func(t *testing.T) {
		code := func(c *replay.Context, _ []byte) ([]byte, error) {
			a, _ := text(activity(c, "Task", "in"))
			c.Timer(time.Minute).Await()
			b, _ := text(activity(c, "Task", "in"))
			return []byte(a + "," + b), nil
		}
		h := events(evS(1))
		d := after(t, code, h)
		wantKinds(t, d, "AS")
		h = append(h, d.Events...)
		d = after(t, code, h, msgAC(2, "R1"))
		wantKinds(t, d, "AC(2) TC")
		h = append(h, d.Events...)
		d = after(t, code, h, msgTF(4))
		wantKinds(t, d, "TF(4) AS")
		h = append(h, d.Events...)
		wantCompleted(t, after(t, code, h, msgAC(6, "R2")), "R1,R2")
	})
	t.Run("RE_023 a timer follows an activity that is complete in history", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			activity(c, "A", "").Await()
			c.Timer(time.Second).Await()
			return nil, nil
		}, events(evS(1), evAS(2, "A", ""), evAC(3, 2, "r")))
		wantRunning(t, d)
		if len(d.Timers) != 1 || len(d.Activities) != 0 {
			t.Errorf("timers %+v, activities %+v", d.Timers, d.Activities)
		}
	})
	t.Run("RE_024 an activity follows a timer that fired in history", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Timer(time.Second).Await()
			activity(c, "A", "").Await()
			return nil, nil
		}, events(evS(1), evTC(2), evTF(3, 2)))
		wantRunning(t, d)
		if len(d.Timers) != 0 || len(d.Activities) != 1 {
			t.Errorf("timers %+v, activities %+v", d.Timers, d.Activities)
		}
	})
	t.Run("RE_025 ten activities in a row give ten results in order on replay", func(t *testing.T) {
		h, want := events(evS(1)), ""
		for i := range uint64(10) {
			h = append(h, evAS(2+2*i, "Step", string('0'+rune(i))), evAC(3+2*i, 2+2*i, string('a'+rune(i))))
			want += string('a' + rune(i))
		}
		wantCompleted(t, after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			out := ""
			for i := range 10 {
				s, _ := text(activity(c, "Step", string('0'+rune(i))))
				out += s
			}
			return []byte(out), nil
		}, h), want)
	})
}

func TestMessages(t *testing.T) {
	t.Run("RE_026 an activity's result becomes an event before the handler runs", func(t *testing.T) {
		d := after(t, greet, events(evS(1), evAS(2, "Greet", "Alice")), msgAC(2, "result"))
		wantKinds(t, d, "AC(2)")
		if d.Converted != 1 || string(d.Events[0].GetActivityCompleted().GetResult()) != "result" {
			t.Errorf("converted %d: %v", d.Converted, d.Events)
		}
	})
	t.Run("RE_027 a timer's firing becomes an event", func(t *testing.T) {
		wantKinds(t, after(t, minute, events(evS(1), evTC(2)), msgTF(2)), "TF(2)")
	})
	t.Run("RE_028 an event that is waited for is recorded with its name and data", func(t *testing.T) {
		d := after(t, waits("MyEvent"), events(evS(1), evXS(2, "MyEvent")), msgXE("MyEvent", "event-data"))
		wantKinds(t, d, "XE")
		if e := d.Events[0].GetExternalEvent(); e.GetName() != "MyEvent" || string(e.GetData()) != "event-data" {
			t.Errorf("event: %v", e)
		}
	})
	t.Run("RE_029 a child's result becomes an event", func(t *testing.T) {
		d := after(t, parent, events(evS(1), evSS(2, "ChildOrch", "sub::2", "child-input")), msgSC(2, "r"))
		wantKinds(t, d, "SC(2)")
		wantCompleted(t, d, "r")
		if len(d.ClosedChildren) != 1 || d.ClosedChildren[0] != 2 {
			t.Errorf("closed children: %v", d.ClosedChildren)
		}
	})
	t.Run("RE_030 a completion that history already has is ignored", func(t *testing.T) {
		d := after(t, two("A1", "A2"), events(evS(1), evAS(2, "A1", "in"), evAC(3, 2, "r"), evAS(4, "A2", "in")), msgAC(2, "r"))
		wantKinds(t, d, "")
		wantRejected(t, d, 1)
	})
	t.Run("RE_031 of two completions of one activity in a batch the first counts", func(t *testing.T) {
		d := after(t, greet, events(evS(1), evAS(2, "Greet", "Alice")), msgAC(2, "first-result"), msgAC(2, "second-result"))
		wantKinds(t, d, "AC(2)")
		wantCompleted(t, d, "first-result")
		wantRejected(t, d, 1)
	})
	t.Run("RE_032 a completion of another execution is ignored and fails nothing", func(t *testing.T) {
		d := after(t, greet, events(evS(1), evAS(2, "Greet", "Alice")), inExecution(msgAC(2, "r"), 999))
		wantRunning(t, d)
		wantKinds(t, d, "")
	})
	t.Run("RE_033 an event that is not waited for is recorded all the same", func(t *testing.T) {
		wantKinds(t, after(t, greet, events(evS(1), evAS(2, "Greet", "Alice")), msgXE("Nobody", "x")), "XE")
	})
	t.Run("RE_034 completions of two activities in a batch are both recorded", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.All(activity(c, "A", ""), activity(c, "B", ""))
			return nil, nil
		}, events(evS(1), evAS(2, "A", ""), evAS(3, "B", "")), msgAC(2, "a"), msgAC(3, "b"))
		wantKinds(t, d, "AC(2) AC(3)")
	})
	t.Run("RE_035 two equal events in a batch are both recorded", func(t *testing.T) {
		wantKinds(t, after(t, greet, events(evS(1), evAS(2, "Greet", "Alice")), msgXE("E", "x"), msgXE("E", "x")), "XE XE")
	})
	t.Run("RE_036 an event that equals one in history is recorded again", func(t *testing.T) {
		wantKinds(t, after(t, greet, events(evS(1), evAS(2, "Greet", "Alice"), evXE(3, "E", "x")), msgXE("E", "x")), "XE")
	})
	t.Run("a failure after a completion is a duplicate too", func(t *testing.T) {
		d := after(t, two("A1", "A2"), events(evS(1), evAS(2, "A1", "in"), evAC(3, 2, "r"), evAS(4, "A2", "in")),
			msgAF(2, activityFailed("late")))
		wantRunning(t, d)
		wantRejected(t, d, 1)
	})
}

func TestCancelMessages(t *testing.T) {
	t.Run("RE_037 a cancel request ends a handler that would complete, with its reason", func(t *testing.T) {
		wantCancelled(t, after(t, returns("ok"), events(evS(1)), msgCancel("user requested")), "user requested")
	})
	t.Run("RE_038 a cancel request in history ends a handler that would complete", func(t *testing.T) {
		wantCancelled(t, after(t, returns("ok"), events(evS(1), evCancel(2, "admin cancelled"))), "admin cancelled")
	})
	t.Run("RE_039 a cancel request wins against a handler that returns at once", func(t *testing.T) {
		m := replay.New(config(returns("ok")))
		defer m.Close()
		wantCancelled(t, m.Advance(input(msgStart(), msgCancel("now"))), "now")
	})
	t.Run("RE_040 a cancel request ends an instance that waits for an activity", func(t *testing.T) {
		d := after(t, greet, events(evS(1), evAS(2, "Greet", "Alice")), msgCancel("now"))
		wantCancelled(t, d, "now")
		wantKinds(t, d, "Cancel ACancel(2)")
		wantReasons(t, d, replay.ReasonFailed)
		wantIDs(t, "cancelled activities", d.CancelledActivities, 2)
	})
	t.Run("RE_041 a second cancel request is ignored", func(t *testing.T) {
		d := after(t, returns("ok"), events(evS(1), evCancel(2, "first")), msgCancel("second"))
		wantCancelled(t, d, "first")
		wantKinds(t, d, "")
		wantRejected(t, d, 1)
	})
	t.Run("the code runs to its next block and nothing of it is sent, but detached starts are", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			activity(c, "A", "").Await()
			activity(c, "B", "")
			child(c, "C", "")
			c.Timer(time.Second)
			c.Detached("D", "d-1", nil, replay.DetachedOptions{})
			c.Dequeue("q").Await()
			return nil, nil
		}, events(evS(1), evAS(2, "A", "")), msgAC(2, "a"), msgCancel("now"))
		wantCancelled(t, d, "now")
		wantKinds(t, d, "AC(2) Cancel AS SS TC Chained QS ACancel(5) QCancel(9)")
		if len(d.Activities)+len(d.Timers)+len(d.Children)+len(d.CancelledTimers) != 0 || len(d.Detached) != 1 {
			t.Errorf("decision: %+v", d)
		}
	})
}
