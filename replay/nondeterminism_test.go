package replay_test

import (
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/system"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

func one(name, in string) replay.Func {
	return func(c *replay.Context, _ []byte) ([]byte, error) {
		s, err := text(activity(c, name, in))
		return []byte(s), err
	}
}

// then is a handler that runs another and forgets what it gives.
func timers(n int) replay.Func {
	return func(c *replay.Context, _ []byte) ([]byte, error) {
		for range n {
			if _, err := c.Timer(time.Minute).Await(); err != nil {
				return nil, err
			}
		}
		return []byte("done"), nil
	}
}

func TestScheduleMismatch(t *testing.T) {
	detached := func(name string) replay.Func {
		return func(c *replay.Context, _ []byte) ([]byte, error) {
			if name != "" {
				c.Detached(name, "child-1", []byte("in"), replay.DetachedOptions{})
			}
			s, err := text(activity(c, "Task", "in"))
			return []byte(s), err
		}
	}
	withOptions := func(session, tag *string) replay.Func {
		return func(c *replay.Context, _ []byte) ([]byte, error) {
			_, err := c.Activity("Greet", []byte("Alice"), replay.ActivityOptions{Session: session, Tag: tag}).Await()
			return nil, err
		}
	}
	gpu, cpu, sess, empty := "gpu", "cpu", "sess-1", ""
	cases := []struct {
		id    string
		code  replay.Func
		hist  []*event
		texts []string
	}{
		{"RE_042 a timer where history has an activity is nondeterminism", minute, events(evS(1), evAS(2, "A", "x")), []string{"event 2", "ActivityScheduled \"A\"", "asked for timer", "minute (fresh_test.go:"}},
		{"F_33 a key", func(c *replay.Context, _ []byte) ([]byte, error) {
			c.KVSet("k", nil)
			return nil, nil
		}, events(evS(1), evAS(2, "A", "x")), []string{"asked for key-value set \"k\" at replay_test.TestScheduleMismatch", "(nondeterminism_test.go:"}},
		{"F_33 a status", func(c *replay.Context, _ []byte) ([]byte, error) {
			c.SetStatus(nil)
			return nil, nil
		}, events(evS(1), evAS(2, "A", "x")), []string{"asked for custom status taken back at replay_test.TestScheduleMismatch"}},
		{"F_33 pruned keys", func(c *replay.Context, _ []byte) ([]byte, error) {
			c.KVSet("k", nil)
			c.KVPruneBefore(1 << 60)
			return nil, nil
		}, events(evS(1), evKVSet(2, "k", ""), evAS(3, "A", "x")), []string{"asked for key-value clear \"k\" at replay_test.TestScheduleMismatch"}},
		{"F_33 the next execution", func(c *replay.Context, _ []byte) ([]byte, error) {
			_, err := c.ContinueAsNew(nil, "").Await()
			return nil, err
		}, events(evS(1), evAS(2, "A", "x")), []string{"nothing more than to continue as new at replay_test.TestScheduleMismatch"}},
		{"RE_043 an activity where history has a timer is nondeterminism", one("A", "x"), events(evS(1), evTC(2)), []string{"TimerCreated", "asked for activity \"A\" with \"x\""}},
		{"RE_044 an activity with another name than in history is nondeterminism", one("ActivityB", "x"), events(evS(1), evAS(2, "ActivityA", "x")), []string{"\"ActivityA\"", "\"ActivityB\"", "the names differ"}},
		{"RE_045 an activity with another input than in history is nondeterminism with StrictInputs", strict(one("A", "input-y")), events(evS(1), evAS(2, "A", "input-x")), []string{"input-x", "input-y", "the inputs differ"}},
		{"a child with another input than in history, with StrictInputs", strict(func(c *replay.Context, _ []byte) ([]byte, error) {
			_, err := child(c, "C", "new").Await()
			return nil, err
		}), events(evS(1), evSS(2, "C", "sub::2", "old")), []string{"\"old\"", "\"new\"", "the inputs differ"}},
		{"a detached start with another input than in history, with StrictInputs", strict(detached("ChildA")), events(evS(1), evChained(2, "ChildA", "child-1", "old"), evAS(3, "Task", "in")), []string{"\"old\"", "the inputs differ"}},
		{"RE_046 a wait for another event than in history is nondeterminism", waits("EventY"), events(evS(1), evXS(2, "EventX")), []string{"EventX", "EventY"}},
		{"RE_054 a detached start in history that the code does not ask for is nondeterminism", detached(""), events(evS(1), evAS(2, "Task", "in"), evChained(3, "Other", "i", "in")), []string{"OrchestrationChained", "asked for nothing more"}},
		{"RE_055 a detached start of another orchestration than in history is nondeterminism", detached("ChildB"), events(evS(1), evChained(2, "ChildA", "child-1", "in"), evAS(3, "Task", "in")), []string{"schedule mismatch", "ChildA", "ChildB"}},
		{"RE_119 a second timer in history that the code does not ask for is nondeterminism", timers(1), events(evS(1), evTC(2), evTC(3)), []string{"event 3"}},
		{"RE_120 a second subscription in history that the code does not ask for is nondeterminism", waits("E"), events(evS(1), evXS(2, "E"), evXS(3, "E")), []string{"ExternalSubscribed \"E\""}},
		{"RE_130 a session that history does not have is nondeterminism", withOptions(&sess, nil), events(evS(1), evAS(2, "Greet", "Alice")), []string{"the sessions differ", "on session \"sess-1\""}},
		{"RE_139 a tag that history does not have is nondeterminism", withOptions(nil, &gpu), events(evS(1), evAS(2, "Greet", "Alice")), []string{"the tags differ"}},
		{"RE_140 another tag than in history is nondeterminism", withOptions(nil, &cpu), events(evS(1), tagged(evAS(2, "Greet", "Alice"), gpu)), []string{"with tag \"gpu\"", "with tag \"cpu\""}},
		{"RE_141 a tag of history that the code leaves out is nondeterminism", withOptions(nil, nil), events(evS(1), tagged(evAS(2, "Greet", "Alice"), gpu)), []string{"the tags differ"}},
		{"a missing tag is not an empty one", withOptions(nil, &empty), events(evS(1), evAS(2, "Greet", "Alice")), []string{"the tags differ"}},
		{"another instance of a detached start", detached("ChildA"), events(evS(1), evChained(2, "ChildA", "child-2", "in"), evAS(3, "Task", "in")), []string{"the instances differ"}},
	}
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) { wantNondeterminism(t, after(t, c.code, c.hist), c.texts...) })
	}
	t.Run("the mode of a wait is matched", func(t *testing.T) {
		wantNondeterminism(t, after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.WaitEvent("E", buffered).Await()
			return nil, nil
		}, events(evS(1), evXS(2, "E"))), "the modes differ")
	})
	t.Run("what is open ends with the execution, matched or not", func(t *testing.T) {
		d := after(t, one("A", "x"), events(evS(1), evAS(2, "A", "x"), evTC(3), evSS(4, "C", "sub::4", ""), evAS(5, "Z", "")))
		wantNondeterminism(t, d)
		wantKinds(t, d, "ACancel(2) ACancel(5)")
		wantIDs(t, "activities", d.CancelledActivities, 2, 5)
		if len(d.CancelledTimers) != 1 || len(d.CancelledChildren) != 1 || d.CancelledChildren[0].Instance != "inst::sub::4" {
			t.Errorf("timers %v, children %v", d.CancelledTimers, d.CancelledChildren)
		}
	})
	t.Run("the report names where history's code asked", func(t *testing.T) {
		first := replay.New(config(one("A", "x")))
		defer first.Close()
		in := input(msgStart())
		d := first.Advance(in)
		m := replay.New(config(minute))
		defer m.Close()
		m.Load(replay.Segments{d.Segment(1, in, "test")})
		wantNondeterminism(t, m.Advance(input()), "asked for at replay_test.activity (harness_test.go:", "minute (fresh_test.go:")
	})
}

// TestBothCallSitesAreNamed: whatever history records of the code has the line that asked for it.
func TestBothCallSitesAreNamed(t *testing.T) {
	shown := "shown"
	for name, asks := range map[string]func(c *replay.Context){
		`CustomStatusUpdated "shown"`: func(c *replay.Context) { c.SetStatus(&shown) },
		`KeyValueSet "k" with "v"`:    func(c *replay.Context) { c.KVSet("k", []byte("v")) },
		`KeyValueCleared "k"`:         func(c *replay.Context) { c.KVClear("k") },
		"KeyValuesCleared":            func(c *replay.Context) { c.KVClearAll() },
		"SideEffectRecorded":          func(c *replay.Context) { c.SideEffect(func() []byte { return nil }) },
		"CompensationPushed":          func(c *replay.Context) { c.Compensate(func(*replay.Context) error { return nil }) },
		`SendScheduled "E"`:           func(c *replay.Context) { c.Raise("other", "E", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			first := replay.New(config(func(c *replay.Context, in []byte) ([]byte, error) {
				asks(c)
				return minute(c, in)
			}))
			defer first.Close()
			in := input(msgStart())
			d := first.Advance(in)
			m := replay.New(config(minute))
			defer m.Close()
			m.Load(replay.Segments{d.Segment(1, in, "test")})
			wantNondeterminism(t, m.Advance(input()), "history has "+name, "asked for at replay_test.TestBothCallSitesAreNamed.",
				"(nondeterminism_test.go:", "minute (fresh_test.go:")
		})
	}
}

// TestAKeyThatIsReadElsewhereIsMatched: the value of another key must not stand for it.
func TestAKeyThatIsReadElsewhereIsMatched(t *testing.T) {
	h := events(evS(1), evAS(2, system.GetKV, "a"))
	wantNondeterminism(t, after(t, one(system.GetKV, "b"), h, msgAC(2, "r")), "the inputs differ")
}

func TestTolerated(t *testing.T) {
	t.Run("RE_047 a schedule that a handler which returns never asked for is tolerated with MayEndEarly", func(t *testing.T) {
		d := after(t, early(returns("done")), events(evS(1), evAS(2, "A", "x")))
		wantCompleted(t, d, "done")
		// The work that history has and code never asked for is given up with the execution.
		wantKinds(t, d, "ACancel(2)")
		wantReasons(t, d, replay.ReasonCompleted)
	})
	t.Run("a timer of another duration", func(t *testing.T) {
		wantCompleted(t, after(t, timers(1), events(evS(1), evTC(2), evTF(3, 2))), "done")
	})
	t.Run("another child id and version", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			s, err := text(c.Child("C", []byte("in"), replay.ChildOptions{ID: "new-id", Version: "2.0.0"}))
			return []byte(s), err
		}, events(evS(1), evSS(2, "C", "old-id", "in"), evSC(3, 2, "r")))
		wantCompleted(t, d, "r")
	})
	t.Run("new actions at the end", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.All(activity(c, "A", "x"), activity(c, "B", "y"))
			return nil, nil
		}, events(evS(1), evAS(2, "A", "x")), msgAC(2, "r"))
		wantRunning(t, d)
		wantKinds(t, d, "AC(2) AS")
	})
	t.Run("a completion without a source", func(t *testing.T) {
		wantCompleted(t, after(t, one("A", "x"), events(evS(1), evAS(2, "A", "x"), evAC(3, 0, "lost"), evAC(4, 2, "r"))), "r")
	})
}

func TestCompletionMismatch(t *testing.T) {
	as2 := events(evS(1), evAS(2, "A", "x"))
	tc2 := events(evS(1), evTC(2))
	ss2 := events(evS(1), evSS(2, "ChildOrch", "sub::2", "child-input"))
	const kind, orphan = "completion kind mismatch", "no matching schedule"
	cases := []struct {
		id   string
		code replay.Func
		hist []*event
		msg  *turnpb.Message
		text string
	}{
		{"RE_048 a completion of an activity that was never scheduled is nondeterminism", returns("ok"), events(evS(1)), msgAC(999, "r"), orphan},
		{"RE_049 an activity's result for a timer is nondeterminism", minute, tc2, msgAC(2, "r"), kind},
		{"RE_050 a timer's firing for an activity is nondeterminism", one("A", "x"), as2, msgTF(2), kind},
		{"RE_051 a child's result for an activity is nondeterminism", one("A", "x"), as2, msgSC(2, "r"), kind},
		{"RE_052 a child's result for a timer is nondeterminism", minute, tc2, msgSC(2, "r"), kind},
		{"RE_053 a timer's firing for a child is nondeterminism", parent, ss2, msgTF(2), kind},
		{"RE_097 a completion of an unknown event beside an open activity is nondeterminism", one("A", "x"), as2, msgAC(99, "r"), orphan},
		{"RE_098 an activity's result for a timer's id is nondeterminism", minute, tc2, msgAC(2, "r"), kind},
		{"RE_114 an orphan result of an activity is nondeterminism", returns("ok"), events(evS(1)), msgAC(99, "r"), orphan},
		{"RE_115 an orphan firing of a timer is nondeterminism", returns("ok"), events(evS(1)), msgTF(99), orphan},
		{"RE_117 an orphan result of a child is nondeterminism", returns("ok"), events(evS(1)), msgSC(99, "r"), orphan},
	}
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) {
			d := after(t, c.code, c.hist, c.msg)
			wantNondeterminism(t, d, c.text)
			wantRejected(t, d, 1)
		})
	}
}

func TestCompletionInHistory(t *testing.T) {
	actTwice := two("A", "B")
	childThen := func(c *replay.Context, _ []byte) ([]byte, error) {
		child(c, "C", "").Await()
		s, err := text(activity(c, "A", ""))
		return []byte(s), err
	}
	const closed = "completion without open schedule"
	cases := []struct {
		id   string
		code replay.Func
		hist []*event
		text string
	}{
		{"RE_056 a completion of the wrong kind inside history is nondeterminism", minute, events(evS(1), evTC(2), evAC(3, 2, "r")), "completion kind mismatch"},
		{"RE_057 a second firing of a timer inside history is nondeterminism", timers(2), events(evS(1), evTC(2), evTF(3, 2), evTC(4), evTF(5, 2)), closed},
		{"RE_058 a second result of a child inside history is nondeterminism", childThen, events(evS(1), evSS(2, "C", "sub::2", ""), evSC(3, 2, "r"), evAS(4, "A", ""), evSC(5, 2, "r")), closed},
		{"RE_059 a second result of an activity inside history is nondeterminism", actTwice, events(evS(1), evAS(2, "A", "in"), evAC(3, 2, "r"), evAS(4, "B", "in"), evAC(5, 2, "r")), closed},
		{"RE_060 a failure of an activity behind its result inside history is nondeterminism", actTwice, events(evS(1), evAS(2, "A", "in"), evAC(3, 2, "r"), evAS(4, "B", "in"), evAF(5, 2, "e")), closed},
		{"RE_061 a failure of a child behind its result inside history is nondeterminism", childThen, events(evS(1), evSS(2, "C", "sub::2", ""), evSC(3, 2, "r"), evAS(4, "A", ""), evSF(5, 2, "e")), closed},
		{"RE_113 a completion that precedes its schedule is nondeterminism", one("A", "x"), events(evS(1), evAC(2, 3, "r"), evAS(3, "A", "x")), closed},
	}
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) { wantNondeterminism(t, after(t, c.code, c.hist), c.text) })
	}
}

func TestPanics(t *testing.T) {
	panics := func(v any) replay.Func {
		return func(*replay.Context, []byte) ([]byte, error) { panic(v) }
	}
	wantPanicked := func(t *testing.T, d replay.Decision, text string) {
		t.Helper()
		wantFailed(t, d, "application", text)
		if d.Failure.GetApplication().GetKind() != kindPanicked || !strings.HasPrefix(failure.Display(d.Failure), "orchestration panicked: ") {
			t.Errorf("failure: %v", d.Failure)
		}
	}
	t.Run("RE_062 a panic fails the instance with its text", func(t *testing.T) {
		wantPanicked(t, after(t, panics("oops something went wrong"), events(evS(1))), "oops something went wrong")
	})
	t.Run("RE_063 a panic with a value that is no text fails the instance with the value", func(t *testing.T) {
		wantPanicked(t, after(t, panics(struct{ Code int }{42}), events(evS(1))), "42")
	})
	t.Run("RE_064 a panic behind a replayed activity fails the instance with its text", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			activity(c, "A", "").Await()
			panic("after the activity")
		}, events(evS(1), evAS(2, "A", ""), evAC(3, 2, "r")))
		wantPanicked(t, d, "after the activity")
	})
	t.Run("a value with pointers is named by its type, so that the text is the same again", func(t *testing.T) {
		d := after(t, panics(&struct{ p *int }{new(int)}), events(evS(1)))
		wantPanicked(t, d, "*struct")
		if strings.Contains(failure.Display(d.Failure), "0x") {
			t.Errorf("an address: %s", failure.Display(d.Failure))
		}
	})
	t.Run("actions that no event records are discarded", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			activity(c, "A", "")
			panic("at once")
		}, events(evS(1)))
		wantPanicked(t, d, "at once")
		wantKinds(t, d, "")
	})
	t.Run("in a coroutine", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Go(func(*replay.Context) (any, error) { panic("in a child") })
			activity(c, "A", "").Await()
			return nil, nil
		}, events(evS(1)))
		wantPanicked(t, d, "in a child")
	})
	t.Run("a Goexit of the code", func(t *testing.T) {
		wantPanicked(t, after(t, func(*replay.Context, []byte) ([]byte, error) { goexit(); return nil, nil }, events(evS(1))), "Goexit")
	})
	t.Run("an error whose text panics", func(t *testing.T) {
		wantPanicked(t, after(t, func(*replay.Context, []byte) ([]byte, error) { return nil, badError{} }, events(evS(1))), "no text")
	})
}

type badError struct{}

func (badError) Error() string { panic("no text") }

func TestFailureCategories(t *testing.T) {
	as2 := events(evS(1), evAS(2, "A", "x"))
	seen := false
	code := func(c *replay.Context, _ []byte) ([]byte, error) {
		seen = false
		s, err := text(activity(c, "A", "x"))
		seen = true
		return []byte(s), err
	}
	t.Run("RE_065 an application failure of an activity reaches the handler", func(t *testing.T) {
		d := after(t, code, as2, msgAF(2, activityFailed("declined")))
		wantFailed(t, d, "application", "declined")
	})
	t.Run("RE_066 an infrastructure failure of an activity fails the turn and never reaches the handler", func(t *testing.T) {
		d := after(t, code, as2, msgAF(2, failure.Infrastructure("disk", "full", true)))
		wantFailed(t, d, "infrastructure", "infrastructure:disk: full")
		wantKinds(t, d, "AF(2)")
		if seen {
			t.Error("the code saw the error")
		}
	})
	t.Run("RE_067 a configuration failure of an activity fails the turn at once", func(t *testing.T) {
		d := after(t, code, as2, msgAF(2, failure.Nondeterminism("r", "m")))
		wantFailed(t, d, "configuration", "nondeterministic: m")
		if seen {
			t.Error("the code saw the error")
		}
	})
	t.Run("RE_068 an infrastructure failure of a child fails the parent's turn", func(t *testing.T) {
		d := after(t, parent, events(evS(1), evSS(2, "ChildOrch", "sub::2", "child-input")), msgSF(2, failure.Infrastructure("op", "m", false)))
		wantFailed(t, d, "infrastructure", "op")
	})
	t.Run("RE_069 an application failure of a child reaches the handler", func(t *testing.T) {
		d := after(t, parent, events(evS(1), evSS(2, "ChildOrch", "sub::2", "child-input")), msgSF(2, failure.Panicked("child")))
		wantFailed(t, d, "application", "orchestration panicked: child")
	})
	t.Run("a poisoned activity ends the orchestration", func(t *testing.T) {
		d := after(t, code, as2, msgAF(2, failure.PoisonActivity("inst", 1, "A", 2, 11, 10, "")))
		wantFailed(t, d, "poison", "poison: activity A#2 exceeded 11 attempts (max 10)")
	})
	t.Run("a nondeterminism error overrides an earlier abort", func(t *testing.T) {
		d := after(t, code, as2, msgAF(2, failure.Infrastructure("disk", "full", true)), msgTF(99))
		wantNondeterminism(t, d)
		wantKinds(t, d, "AF(2)")
	})
}

func TestChildIDs(t *testing.T) {
	t.Run("RE_070 a child without an id is named after the event that starts it", func(t *testing.T) {
		d := after(t, parent, events(evS(1)))
		if got := d.Events[0].GetSubOrchestrationScheduled().GetInstance(); got != "sub::2" || d.Children[0].Instance != "inst::sub::2" {
			t.Errorf("recorded %q, started %q", got, d.Children[0].Instance)
		}
	})
	t.Run("RE_071 a child in history is bound by its id and gives its result", func(t *testing.T) {
		wantCompleted(t, after(t, parent, events(evS(1), evSS(2, "ChildOrch", "sub::2", "child-input"), evSC(3, 2, "child-result"))), "child-result")
	})
	t.Run("RE_072 a child with an explicit id keeps it unprefixed", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Child("C", nil, replay.ChildOptions{ID: "my-custom-instance"}).Await()
			return nil, nil
		}, events(evS(1)))
		if d.Children[0].Instance != "my-custom-instance" {
			t.Errorf("started %q", d.Children[0].Instance)
		}
	})
	t.Run("RE_073 two children that are not awaited have ids of their own", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			child(c, "C", "1")
			child(c, "C", "2")
			return []byte("done"), nil
		}, events(evS(1)))
		wantCompleted(t, d, "done")
		wantKinds(t, d, "SS SS SCancel(2) SCancel(3)")
		a, b := d.Events[0].GetSubOrchestrationScheduled().GetInstance(), d.Events[1].GetSubOrchestrationScheduled().GetInstance()
		if a != "sub::2" || b != "sub::3" {
			t.Errorf("ids %q and %q", a, b)
		}
	})
	t.Run("a later execution has its number in the id", func(t *testing.T) {
		cfg := config(parent)
		cfg.Execution = 3
		d := afterWith(t, cfg, events(evS(1)))
		if d.Children[0].Instance != "inst::sub::3.2" {
			t.Errorf("started %q", d.Children[0].Instance)
		}
	})
	t.Run("F_49 an id that is given is used as it is, also if it looks like an automatic one", func(t *testing.T) {
		for _, given := range []string{"sub::mine", "sub::2", "sub::pending_7", "x"} {
			s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
				f := c.Child("C", nil, replay.ChildOptions{ID: given})
				c.Race(f, c.WaitEvent("stop", buffered))
				return nil, nil
			})
			if d := s.turn(msgStart()); d.Children[0].Instance != given {
				t.Errorf("%q started %q", given, d.Children[0].Instance)
			}
			if d := s.turn(msgXE("stop", "")); len(d.CancelledChildren) != 1 || d.CancelledChildren[0].Instance != given {
				t.Errorf("%q: cancelled %+v", given, d.CancelledChildren)
			}
		}
	})
}
