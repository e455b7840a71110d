package replay_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/replay"
)

func goexit() { runtime.Goexit() }

func TestReplayingFlag(t *testing.T) {
	var flags []bool
	code := func(c *replay.Context, _ []byte) ([]byte, error) {
		flags = append(flags[:0], c.Replaying())
		s, err := text(activity(c, "Greet", "Alice"))
		flags = append(flags, c.Replaying())
		return []byte(s), err
	}
	t.Run("RE_074 a handler that begins with history is told that it replays", func(t *testing.T) {
		after(t, code, events(evS(1)))
		if !flags[0] {
			t.Error("not replaying at the start of a handler whose start is in history")
		}
	})
	t.Run("RE_075 a history of a schedule and its result completes on replay", func(t *testing.T) {
		wantCompleted(t, after(t, code, events(evS(1), evAS(2, "Greet", "Alice"), evAC(3, 2, "r"))), "r")
	})
	t.Run("RE_076 replaying ends with the last recorded result", func(t *testing.T) {
		after(t, code, events(evS(1), evAS(2, "Greet", "Alice"), evAC(3, 2, "r")))
		if !flags[0] || flags[1] {
			t.Errorf("flags: %v", flags)
		}
	})
	t.Run("RE_077 a first turn does not replay", func(t *testing.T) {
		m := replay.New(config(code))
		defer m.Close()
		m.Advance(input(msgStart()))
		if flags[0] {
			t.Error("replaying in the very first turn")
		}
	})
	t.Run("true until the first new event, if the turn brings one", func(t *testing.T) {
		after(t, code, events(evS(1), evAS(2, "Greet", "Alice")), msgAC(2, "r"))
		if !flags[0] || flags[1] {
			t.Errorf("flags: %v", flags)
		}
	})
}

func TestEventIDs(t *testing.T) {
	t.Run("RE_078 events of one turn have contiguous ids, cancellations behind schedules", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			for _, n := range []string{"A", "B", "C"} {
				activity(c, n, "")
			}
			return nil, nil
		}, events(evS(1)))
		wantKinds(t, d, "AS AS AS ACancel(2) ACancel(3) ACancel(4)") // checkDecision has checked that ids are 2..8
		if d.Events[2].GetId() != 4 || d.Events[6].GetId() != 8 {
			t.Errorf("ids: %v", d.Events)
		}
	})
	t.Run("RE_079 a second activity takes the next event id after history", func(t *testing.T) {
		d := after(t, two("A", "B"), events(evS(1), evAS(2, "A", "in"), evAC(3, 2, "r")))
		if d.Activities[0].Event != 4 {
			t.Errorf("activity: %+v", d.Activities[0])
		}
	})
	t.Run("RE_080 event ids go on from the highest one, and gaps stay", func(t *testing.T) {
		d := after(t, two("A", "B"), events(evS(1), evAS(5, "A", "in")), msgAC(5, "r"))
		wantKinds(t, d, "AC(5) AS")
		if d.Events[0].GetId() != 6 || d.Events[1].GetId() != 7 {
			t.Errorf("ids: %v", d.Events)
		}
	})
	t.Run("RE_081 an activity's action carries the id of its event", func(t *testing.T) {
		d := after(t, greet, events(evS(1)))
		if d.Activities[0].Event != 2 || d.Events[0].GetId() != 2 {
			t.Errorf("activity %+v, event %v", d.Activities[0], d.Events[0])
		}
	})
}

func TestEdgeCases(t *testing.T) {
	t.Run("RE_082 a timer of zero duration is created and waits", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Timer(0).Await()
			return nil, nil
		}, events(evS(1)))
		wantRunning(t, d)
		if len(d.Timers) != 1 || d.Timers[0].FireAtMs != 1_000 {
			t.Errorf("timers: %+v", d.Timers)
		}
	})
	t.Run("RE_083 an empty input is kept empty", func(t *testing.T) {
		wantCompleted(t, after(t, one("A", ""), events(evS(1), evAS(2, "A", ""), evAC(3, 2, "r"))), "r")
	})
	t.Run("RE_084 a result of a million characters comes back whole", func(t *testing.T) {
		long := strings.Repeat("x", 1_000_000)
		wantCompleted(t, after(t, greet, events(evS(1), evAS(2, "Greet", "Alice"), evAC(3, 2, long))), long)
	})
	calls := 0
	counting := func(c *replay.Context, in []byte) ([]byte, error) { calls++; return greet(c, in) }
	t.Run("RE_085 a handler runs once a turn", func(t *testing.T) {
		calls = 0
		after(t, counting, events(evS(1)))
		if calls != 1 {
			t.Errorf("%d calls", calls)
		}
	})
	t.Run("RE_086 a replay runs the handler once", func(t *testing.T) {
		calls = 0
		wantCompleted(t, after(t, counting, events(evS(1), evAS(2, "Greet", "Alice"), evAC(3, 2, "r"))), "r")
		if calls != 1 {
			t.Errorf("%d calls", calls)
		}
	})
	t.Run("RE_087 an event with empty data gives empty data", func(t *testing.T) {
		wantCompleted(t, after(t, waits("E"), events(evS(1), evXS(2, "E")), msgXE("E", "")), "")
	})
	t.Run("RE_088 the first of two events of a name goes to the only wait", func(t *testing.T) {
		wantCompleted(t, after(t, waits("E"), events(evS(1), evXS(2, "E"), evXE(3, "E", "first-data"), evXE(4, "E", "second-data"))), "first-data")
	})
	t.Run("RE_089 a turn has made progress once it has taken a completion", func(t *testing.T) {
		m := replay.New(config(greet))
		defer m.Close()
		m.Load(replay.Segments(flat(evS(1), evAS(2, "Greet", "Alice"))))
		if m.Advance(input()).Progress {
			t.Error("progress without a message")
		}
		if !m.Advance(input(msgAC(2, "r"))).Progress {
			t.Error("no progress with a completion")
		}
	})
	t.Run("RE_090 the history after a turn is what was there and what the turn adds", func(t *testing.T) {
		h := events(evS(1))
		h = append(h, after(t, greet, h).Events...)
		if len(h) != 2 || h[1].GetActivityScheduled() == nil {
			t.Errorf("history: %v", h)
		}
	})
}

func TestCorruptedHistory(t *testing.T) {
	t.Run("RE_091 an empty history is refused as corrupted", func(t *testing.T) { wantNondeterminism(t, after(t, greet, nil), "corrupted history", "empty") })
	t.Run("RE_092 a history without a start is refused", func(t *testing.T) {
		wantNondeterminism(t, after(t, greet, events(evAS(1, "Greet", "Alice"))), "corrupted history", "OrchestrationStarted")
	})
	t.Run("RE_093 a history whose start is not first is refused", func(t *testing.T) {
		wantNondeterminism(t, after(t, greet, events(evAS(1, "Greet", "Alice"), evS(2))), "OrchestrationStarted must be first")
	})
	t.Run("RE_094 a start with event id 0 is valid", func(t *testing.T) { wantCompleted(t, after(t, returns("ok"), events(evS(0))), "ok") })
	t.Run("RE_095 a history with gaps between its ids replays", func(t *testing.T) {
		wantCompleted(t, after(t, greet, events(evS(1), evAS(100, "Greet", "Alice"), evAC(200, 100, "result"))), "result")
	})
	t.Run("RE_096 a history whose ids are not in order replays", func(t *testing.T) {
		wantCompleted(t, after(t, greet, events(evS(1), evAS(5, "Greet", "Alice"), evAC(3, 5, "result"))), "result")
	})
	t.Run("RE_099 a completion of an activity that is complete is ignored", func(t *testing.T) {
		d := after(t, two("A", "B"), events(evS(1), evAS(2, "A", "in"), evAC(3, 2, "r"), evAS(4, "B", "in")), msgAC(2, "again"))
		wantRunning(t, d)
		wantKinds(t, d, "")
	})
	t.Run("RE_100 a completion from another execution adds nothing", func(t *testing.T) {
		wantKinds(t, after(t, returns("ok"), events(evS(1)), inExecution(msgAC(2, "r"), 999)), "")
	})
	ran := false
	marks := func(*replay.Context, []byte) ([]byte, error) { ran = true; return []byte("ok"), nil }
	for id, h := range map[string][]*event{
		"RE_101 a completed history does nothing more":                events(evS(1), evCompleted(2, "x")),
		"RE_102 a failed history does nothing more":                   events(evS(1), evFailed(2, "x")),
		"RE_103 a history that is continued as new does nothing more": events(evS(1), evContinued(2)),
		"RE_104 the first of two ends in a history counts":            events(evS(1), evCompleted(2, "x"), evFailed(3, "x")),
		"RE_105 events behind an end do nothing":                      events(evS(1), evCompleted(2, "x"), evAS(3, "A", "")),
		"RE_106 a cancel request behind an end does nothing":          events(evS(1), evCompleted(2, "x"), evCancel(3, "x")),
	} {
		t.Run(id, func(t *testing.T) {
			ran = false
			d := after(t, marks, h, msgXE("E", "x"))
			wantRunning(t, d)
			wantKinds(t, d, "")
			wantRejected(t, d, 1)
			if ran {
				t.Error("code ran")
			}
		})
	}
	t.Run("RE_107 a late completion of another execution beside an open activity is ignored", func(t *testing.T) {
		d := after(t, greet, events(evS(1), evAS(2, "Greet", "Alice")), inExecution(msgAC(2, "r"), 999))
		wantRunning(t, d)
		wantKinds(t, d, "")
	})
	for id, s := range map[string]string{
		"RE_108 an activity with an empty name replays": "", "RE_109 names and values beyond ASCII come back exactly": "日本語 🚀", "RE_110 names and values of 10,000 characters come back exactly": strings.Repeat("n", 10_000), "RE_111 line breaks, tabs and zero bytes come back exactly": "a\nb\tc\r\nd\x00e",
	} {
		t.Run(id, func(t *testing.T) {
			wantCompleted(t, after(t, one(s, s), events(evS(1), evAS(2, s, s), evAC(3, 2, s))), s)
		})
	}
	t.Run("RE_116 an event that is not waited for is recorded and fails nothing", func(t *testing.T) {
		d := after(t, returns("done"), events(evS(1)), msgXE("E", "x"))
		wantCompleted(t, d, "done")
		wantKinds(t, d, "XE")
	})
	t.Run("an event of an unknown kind is named", func(t *testing.T) {
		wantNondeterminism(t, after(t, greet, events(evS(1), &event{Id: 2})), "event 2", "does not know")
	})
	t.Run("a second start in history", func(t *testing.T) {
		wantNondeterminism(t, after(t, greet, events(evS(1), evAS(2, "Greet", "Alice"), evS(3))), "second OrchestrationStarted")
	})
	t.Run("a start message for a history that exists is rejected", func(t *testing.T) {
		d := after(t, greet, events(evS(1), evAS(2, "Greet", "Alice")), msgStart())
		wantRunning(t, d)
		wantRejected(t, d, 1)
	})
}

func TestComposition(t *testing.T) {
	race := func(c *replay.Context, _ []byte) ([]byte, error) {
		a := activity(c, "A", "x")
		if c.Race(a, c.Timer(time.Minute)) == 1 {
			return []byte("timeout"), nil
		}
		s, err := text(a)
		return []byte("activity:" + s), err
	}
	all := func(names ...string) replay.Func {
		return func(c *replay.Context, _ []byte) ([]byte, error) {
			var fs []*replay.Future
			for _, n := range names {
				fs = append(fs, activity(c, n, ""))
			}
			c.All(fs...)
			var out []string
			for _, f := range fs {
				s, err := text(f)
				if err != nil {
					return nil, err
				}
				out = append(out, s)
			}
			return []byte(strings.Join(out, ",")), nil
		}
	}
	raced := events(evS(1), evAS(2, "A", "x"), evTC(3))
	ab := events(evS(1), evAS(2, "A", ""), evAS(3, "B", ""))
	t.Run("RE_121 an activity that completed first wins its race with a timer", func(t *testing.T) {
		wantCompleted(t, after(t, race, append(raced[:3:3], evAC(4, 2, "activity-result"))), "activity:activity-result")
	})
	t.Run("RE_122 a timer that fired first wins its race with an activity", func(t *testing.T) { wantCompleted(t, after(t, race, append(raced[:3:3], evTF(4, 3))), "timeout") })
	t.Run("RE_123 a race of which nothing is done waits", func(t *testing.T) { wantRunning(t, after(t, race, raced)) })
	t.Run("RE_124 all of two activities give both results", func(t *testing.T) {
		wantCompleted(t, after(t, all("A", "B"), append(ab[:3:3], evAC(4, 3, "result-b"), evAC(5, 2, "result-a"))), "result-a,result-b")
	})
	t.Run("RE_125 all of two activities waits for the second", func(t *testing.T) { wantRunning(t, after(t, all("A", "B"), append(ab[:3:3], evAC(4, 2, "a")))) })
	t.Run("RE_126 all of three activities schedules the three", func(t *testing.T) {
		d := after(t, all("A", "B", "C"), events(evS(1)))
		wantRunning(t, d)
		if len(d.Activities) != 3 {
			t.Errorf("activities: %+v", d.Activities)
		}
	})
	t.Run("RE_127 all of two activities with one failure gives that error", func(t *testing.T) {
		wantFailed(t, after(t, all("A", "B"), append(ab[:3:3], evAC(4, 2, "a"), evAF(5, 3, "b failed"))), "application", "b failed")
	})
	t.Run("nothing to wait for", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.All()
			if c.Race() != -1 || c.Select() != -1 {
				t.Error("a race without futures has a winner")
			}
			return []byte("done"), nil
		}, events(evS(1)))
		wantCompleted(t, d, "done")
	})
}
