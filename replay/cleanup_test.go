package replay_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// undone adds a step that calls an activity, and then calls one itself.
func undone(c *replay.Context, name string) (string, error) {
	c.Compensate(func(c *replay.Context) error {
		_, err := activity(c, "Undo"+name, "").Await()
		return err
	})
	return text(activity(c, name, ""))
}

// saga takes two steps and then ends as it is told.
func saga(end func(c *replay.Context) error) replay.Func {
	return func(c *replay.Context, _ []byte) ([]byte, error) {
		for _, name := range []string{"A", "B"} {
			if _, err := undone(c, name); err != nil {
				return nil, err
			}
		}
		return []byte("done"), end(c)
	}
}

// voyage runs turns one after the other, each in a machine that stays and in one that was rebuilt, and lets the oracle
// check what is left.
type voyage struct {
	t        *testing.T
	cfg      replay.Config
	m        *replay.Machine
	history  []replay.Segment
	messages []*turnpb.Message
}

func travel(t *testing.T, cfg replay.Config, messages ...*turnpb.Message) *voyage {
	j := &voyage{t: t, cfg: cfg, m: replay.New(cfg), messages: messages}
	t.Cleanup(j.m.Close)
	return j
}

func (j *voyage) turn(messages ...*turnpb.Message) replay.Decision {
	j.t.Helper()
	return j.stop(nil, messages...)
}

// stop is a turn that a limit of the host stops; without one it runs like any other.
func (j *voyage) stop(why *turnpb.Failure, messages ...*turnpb.Message) replay.Decision {
	j.t.Helper()
	in := replay.Input{TimeMs: 2_000, Messages: messages, Stop: why}
	d := j.m.Advance(in)
	sameAsRebuilt(j.t, j.cfg, j.history, in, d, j.m.Open())
	j.history = append(j.history, copyOf(d.Segment(uint64(len(j.history)+1), in, "test")))
	if err := replay.Verify(j.cfg, j.history); err != nil {
		j.t.Fatal(err)
	}
	return d
}

// begun takes the two steps of saga. The next event is 8.
func begun(t *testing.T, cfg replay.Config) *voyage {
	t.Helper()
	j := travel(t, cfg)
	wantKinds(t, j.turn(msgStart()), "S Push AS")
	wantKinds(t, j.turn(msgAC(3, "a")), "AC(3) Push AS")
	return j
}

func TestUndoStepsRunInReverse(t *testing.T) {
	cases := map[string]struct {
		end     func(c *replay.Context) error
		message *turnpb.Message
		kinds   string
		undo    uint64 // the event of the first undo
		want    func(t *testing.T, d replay.Decision)
	}{
		"error": {func(*replay.Context) error { return errors.New("no stock") }, msgAC(6, "b"), "AC(6) Started TC AS", 10,
			func(t *testing.T, d replay.Decision) { wantFailed(t, d, "application", "no stock") }},
		"panic": {func(*replay.Context) error { panic("oops") }, msgAC(6, "b"), "AC(6) Started TC AS", 10,
			func(t *testing.T, d replay.Decision) { wantFailed(t, d, "application", "oops") }},
		"goexit": {func(*replay.Context) error { runtime.Goexit(); return nil }, msgAC(6, "b"), "AC(6) Started TC AS", 10,
			func(t *testing.T, d replay.Decision) { wantFailed(t, d, "application", "Goexit") }},
		"cancel": {nil, msgCancel("enough"), "Cancel Started ACancel(6) TC AS", 11,
			func(t *testing.T, d replay.Decision) { wantCancelled(t, d, "enough") }},
		"abort": {nil, msgAF(6, failure.Infrastructure("op", "gone", false)), "AF(6) Started TC AS", 10,
			func(t *testing.T, d replay.Decision) { wantFailed(t, d, "infrastructure", "gone") }},
		"a limit": {func(c *replay.Context) error {
			c.Compensate(func(*replay.Context) error { panic("last") })
			c.Activity("X", make([]byte, 20), replay.ActivityOptions{}).Await()
			return nil
		}, msgAC(6, "b"), "AC(6) Push Started TC Failed AS", 12,
			func(t *testing.T, d replay.Decision) { wantFailed(t, d, "application", "20 bytes") }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := config(saga(c.end))
			if name == "a limit" {
				cfg.Limits.PayloadBytes = 19
			}
			j := begun(t, cfg)
			d := j.turn(c.message)
			wantRunning(t, d)
			wantKinds(t, d, c.kinds)
			if d.CleansUp == nil || j.m.Outcome() == nil || len(d.Timers) != 1 || len(d.Activities) != 1 || d.Activities[0].Name != "UndoB" {
				t.Fatalf("the turn decided %+v", d)
			}
			d = j.turn(msgCancel("again"))
			wantRunning(t, d)
			wantRejected(t, d, 1)
			d = j.turn(msgAF(c.undo, activityFailed("cannot")))
			wantKinds(t, d, fmt.Sprintf("AF(%d) Failed AS", c.undo))
			if k := d.Events[1].GetCompensationFailed(); k.GetPushed() != 5 || !strings.Contains(failure.Display(k.GetFailure()), "cannot") {
				t.Errorf("the event is %v", k)
			}
			d = j.turn(msgAC(c.undo+3, ""))
			c.want(t, d)
			if len(d.CancelledTimers) != 1 {
				t.Errorf("timers %v", d.CancelledTimers)
			}
		})
	}
}

func TestUndoStepsAreForgotten(t *testing.T) {
	t.Run("at a good end", func(t *testing.T) {
		j := begun(t, config(saga(func(*replay.Context) error { return nil })))
		wantCompleted(t, j.turn(msgAC(6, "b")), "done")
	})
	t.Run("at continue-as-new", func(t *testing.T) {
		j := begun(t, config(saga(func(c *replay.Context) error { c.ContinueAsNew(nil, ""); return errors.New("continued") })))
		if d := j.turn(msgAC(6, "b")); d.Outcome != replay.ContinuedAsNew {
			t.Errorf("outcome %d", d.Outcome)
		}
	})
	t.Run("without code", func(t *testing.T) {
		j := begun(t, config(saga(nil)))
		m := replay.New(config(nil))
		defer m.Close()
		m.Load(replay.Segments(j.history))
		d := m.End(input(), failure.Terminated("now"), turnpb.SegmentOrigin_SEGMENT_ORIGIN_TERMINATE)
		wantFailed(t, d, "application", "now")
		wantKinds(t, d, "ACancel(6)")
	})
	t.Run("without code, in the middle of a cleanup", func(t *testing.T) {
		j := begun(t, config(saga(nil)))
		j.turn(msgCancel("enough"))
		m := replay.New(config(nil))
		defer m.Close()
		m.Load(replay.Segments(j.history))
		d := m.End(input(), failure.Terminated("now"), turnpb.SegmentOrigin_SEGMENT_ORIGIN_TERMINATE)
		wantFailed(t, d, "application", "now")
		wantKinds(t, d, "ACancel(11)")
		wantIDs(t, "activities", d.CancelledActivities, 11)
	})
	t.Run("where code does not fit", func(t *testing.T) {
		j := begun(t, config(saga(nil)))
		m := replay.New(config(unpatched(1)))
		defer m.Close()
		m.Load(replay.Segments(j.history))
		wantNondeterminism(t, m.Advance(input()), "CompensationPushed")
	})
}

func TestCleanupOfTheRegistration(t *testing.T) {
	tidy := func(timeout time.Duration) replay.Func {
		return func(c *replay.Context, in []byte) ([]byte, error) {
			c.Cleanup(func(c *replay.Context, why *turnpb.Failure) error {
				_, err := activity(c, "Tidy", failure.Display(why)).Await()
				return err
			}, timeout)
			return saga(nil)(c, in)
		}
	}
	j := begun(t, config(tidy(time.Second)))
	d := j.turn(msgCancel("enough"))
	wantKinds(t, d, "Cancel Started ACancel(6) TC AS")
	if d.Timers[0].FireAtMs != 3_000 {
		t.Errorf("timer %v", d.Timers)
	}
	t.Run("it runs last", func(t *testing.T) {
		d := j.turn(msgAC(11, ""))
		wantKinds(t, d, "AC(11) AS")
		d = j.turn(msgAC(13, ""))
		if a := d.Activities; len(a) != 1 || a[0].Name != "Tidy" || string(a[0].Input) != "application:cancelled: enough" && !strings.Contains(string(a[0].Input), "enough") {
			t.Errorf("activities %+v", a)
		}
	})
	t.Run("its time is over", func(t *testing.T) {
		d := j.turn(msgTF(10))
		wantCancelled(t, d, "enough")
		wantKinds(t, d, "TF(10) Failed ACancel(15)")
	})
	t.Run("the steps that have not begun are not run", func(t *testing.T) {
		j := begun(t, config(tidy(time.Second)))
		j.turn(msgCancel("enough"))
		d := j.turn(msgTF(10))
		wantCancelled(t, d, "enough")
		wantKinds(t, d, "TF(10) Failed Failed Failed ACancel(11)")
	})
	t.Run("no bound", func(t *testing.T) {
		j := begun(t, config(tidy(-1)))
		wantKinds(t, j.turn(msgCancel("enough")), "Cancel Started ACancel(6) AS")
	})
	t.Run("an execution that began without has none", func(t *testing.T) {
		j := begun(t, config(saga(nil)))
		j.cfg = config(tidy(time.Second))
		j.m = replay.New(j.cfg)
		defer j.m.Close()
		var loaded []replay.Segment
		for _, s := range j.history {
			loaded = append(loaded, copyOf(s))
		}
		j.m.Load(replay.Segments(loaded))
		j.turn(msgCancel("enough"))
		j.turn(msgAC(11, ""))
		wantCancelled(t, j.turn(msgAC(13, "")), "enough")
	})
	t.Run("code that has none any more does not fit", func(t *testing.T) {
		j := begun(t, config(tidy(time.Second)))
		m := replay.New(config(saga(nil)))
		defer m.Close()
		m.Load(replay.Segments(j.history))
		wantNondeterminism(t, m.Advance(input(msgCancel("enough"))), "WithCleanup")
	})
}

// TestUnwoundCodeAsksForNothing: deferred functions run before the steps, and what they do with the context does not happen.
func TestUnwoundCodeAsksForNothing(t *testing.T) {
	fn := func(c *replay.Context, _ []byte) ([]byte, error) {
		seen := ""
		c.Compensate(func(c *replay.Context) error {
			_, err := activity(c, "Undo", seen).Await()
			return err
		})
		defer func() { seen += " last"; recover(); child(c, "C", ""); seen += " never" }()
		f := c.Go(func(c *replay.Context) (any, error) {
			defer func() { seen += "first"; c.Compensate(nil); seen += " never" }()
			return activity(c, "A", "").Await()
		})
		_, err := f.Await()
		seen += fmt.Sprint(err)
		panic("not reached")
	}
	j := travel(t, config(fn))
	wantKinds(t, j.turn(msgStart()), "S Push AS")
	d := j.turn(msgCancel("enough"))
	wantKinds(t, d, "Cancel Started ACancel(3) TC AS")
	if got := string(d.Activities[0].Input); got != "first last" {
		t.Errorf("the step saw %q", got)
	}
}

// TestStepsDoNoMoreThanSteps: they add no steps and do not continue as new. What a step leaves open is given up.
func TestStepsDoNoMoreThanSteps(t *testing.T) {
	fn := func(c *replay.Context, _ []byte) ([]byte, error) {
		c.Compensate(func(c *replay.Context) error {
			activity(c, "Left", "")
			policyChild(c, "Waited", policyWait)
			return nil
		})
		c.Compensate(func(c *replay.Context) error { c.ContinueAsNew(nil, ""); return nil })
		c.Compensate(func(c *replay.Context) error { c.Compensate(nil); return nil })
		c.Compensate(func(c *replay.Context) error {
			f := c.Go(func(c *replay.Context) (any, error) { panic("beside") })
			_, err := f.Await()
			return err
		})
		return nil, errors.New("failed")
	}
	j := travel(t, config(fn))
	d := j.turn(msgStart())
	wantKinds(t, d, "S Push Push Push Push Started TC Failed Failed Failed AS SS ACancel(11)")
	wantRunning(t, d)
	var why []string
	for _, f := range d.FailedSteps {
		why = append(why, failure.Display(f))
	}
	if got := strings.Join(why, "; "); !strings.Contains(got, "beside") || !strings.Contains(got, "added an undo step") || !strings.Contains(got, "continue as new") {
		t.Errorf("the steps failed: %s", got)
	}
	wantFailed(t, j.turn(msgSC(12, "")), "application", "failed")
}

// TestKeysOfUndoSteps: what steps set becomes state, also after code has set too much; a step that adds a key to a full
// store fails there.
func TestKeysOfUndoSteps(t *testing.T) {
	cfg := config(func(c *replay.Context, _ []byte) ([]byte, error) {
		c.Compensate(func(c *replay.Context) error { c.KVSet("a", []byte("undone")); return nil })
		c.Compensate(func(c *replay.Context) error { c.KVSet("d", nil); return nil })
		c.Compensate(func(c *replay.Context) error {
			text := "a status that is too long"
			c.SetStatus(&text)
			return nil
		})
		c.KVSet("a", nil)
		c.KVSet("b", nil)
		_, err := text(activity(c, "A", ""))
		c.KVSet("c", nil)
		return nil, err
	})
	cfg.Limits.KVKeys, cfg.Limits.StatusBytes = 2, 10
	for name, c := range map[string]struct {
		message *turnpb.Message
		keys    string
	}{
		"the code has set too much": {msgAC(7, ""), "c a"},
		"the code was cancelled":    {msgCancel("x"), "a"},
	} {
		t.Run(name, func(t *testing.T) {
			j := travel(t, cfg)
			j.turn(msgStart())
			d := j.turn(c.message)
			var keys []string
			for _, k := range d.KV {
				keys = append(keys, k.Key)
			}
			if got := strings.Join(keys, " "); got != c.keys || d.Status != nil || len(d.FailedSteps) != 2 {
				t.Errorf("the keys %q are set, the status %v; the steps failed with %v", got, d.Status, d.FailedSteps)
			}
			if d.Outcome != replay.Failed {
				t.Errorf("outcome %d", d.Outcome)
			}
		})
	}
}
