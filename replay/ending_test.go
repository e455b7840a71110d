package replay_test

import (
	"errors"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// advance takes turns and checks after each that a machine rebuilt from the segments agrees.
type story struct {
	t        *testing.T
	cfg      replay.Config
	resident *replay.Machine
	history  []replay.Segment
}

func tell(t *testing.T, fn replay.Func) *story {
	t.Helper()
	return tellWith(t, config(fn))
}

func tellWith(t *testing.T, cfg replay.Config) *story {
	t.Helper()
	s := &story{t: t, cfg: cfg}
	s.resident = replay.New(s.cfg)
	t.Cleanup(s.resident.Close)
	return s
}

func (s *story) turn(messages ...*turnpb.Message) replay.Decision {
	s.t.Helper()
	return s.advance(replay.Input{TimeMs: 1_000 * int64(1+len(s.history)), Entropy: [16]byte{byte(len(s.history))}, Messages: messages})
}

// advance takes one turn. A turn that consumed nothing is not recorded.
func (s *story) advance(in replay.Input) replay.Decision {
	s.t.Helper()
	d := s.resident.Advance(in)
	m := replay.New(s.cfg)
	defer m.Close()
	var loaded []replay.Segment
	for _, h := range s.history {
		loaded = append(loaded, copyOf(h))
	}
	m.Load(replay.Segments(loaded))
	if a, b := string(render(d)), string(render(m.Advance(in))); a != b {
		s.t.Fatalf("turn %d: resident\n%s\nrebuilt\n%s", len(s.history)+1, a, b)
	}
	if len(d.Events)+len(d.Rejected) == 0 {
		return d
	}
	s.history = append(s.history, copyOf(d.Segment(uint64(len(s.history)+1), in, "test")))
	if err := replay.Verify(s.cfg, s.history); err != nil {
		s.t.Fatal(err)
	}
	return d
}

func policyChild(c *replay.Context, name string, p childPolicy) *replay.Future {
	return c.Child(name, nil, replay.ChildOptions{Policy: p})
}

func TestChildPolicies(t *testing.T) {
	all := func(end func(*replay.Context) ([]byte, error)) replay.Func {
		return func(c *replay.Context, _ []byte) ([]byte, error) {
			policyChild(c, "cancel", policyCancel)
			policyChild(c, "abandon", policyAbandon)
			policyChild(c, "wait", policyWait)
			activity(c, "A", "")
			c.Timer(time.Minute)
			c.WaitEvent("go", positional).Await()
			return end(c)
		}
	}
	ends := map[string]struct {
		end   func(*replay.Context) ([]byte, error)
		msg   *turnpb.Message
		crumb string
		check func(*testing.T, replay.Decision)
	}{
		"completion": {func(*replay.Context) ([]byte, error) { return []byte("out"), nil }, msgXE("go", ""),
			"XE SCancel(2) ACancel(5)", func(t *testing.T, d replay.Decision) { wantCompleted(t, d, "out") }},
		"failure": {func(*replay.Context) ([]byte, error) { return nil, errors.New("bad") }, msgXE("go", ""),
			"XE SCancel(2) ACancel(5)", func(t *testing.T, d replay.Decision) { wantFailed(t, d, "application", "bad") }},
		"panic": {func(*replay.Context) ([]byte, error) { panic("oops") }, msgXE("go", ""),
			"XE ACancel(5)", func(t *testing.T, d replay.Decision) { wantFailed(t, d, "application", "panicked: oops") }},
		"continue-as-new": {func(c *replay.Context) ([]byte, error) {
			_, err := c.ContinueAsNew([]byte("n"), "").Await()
			return nil, err
		},
			msgXE("go", ""), "XE ACancel(5)", func(t *testing.T, d replay.Decision) {
				if d.Outcome != replay.ContinuedAsNew || len(d.Next.GetCarried()) != 1 {
					t.Errorf("outcome %d, next %v", d.Outcome, d.Next)
				}
			}},
		"cancel": {nil, msgCancel("stop"), "Cancel ACancel(5) XCancel(7)",
			func(t *testing.T, d replay.Decision) { wantCancelled(t, d, "stop") }},
	}
	for name, e := range ends {
		t.Run(name, func(t *testing.T) {
			s := tell(t, all(e.end))
			d := s.turn(msgStart())
			if len(d.Children) != 3 || len(d.Activities) != 1 || len(d.Timers) != 1 {
				t.Fatalf("first turn: %+v", d)
			}
			d = s.turn(e.msg)
			// The child to wait for holds the end; everything else is given up now, and the abandoned one runs on.
			wantRunning(t, d)
			wantKinds(t, d, e.crumb)
			wantIDs(t, "activities", d.CancelledActivities, 5)
			told := 1
			if name == "cancel" {
				told = 2 // the one to wait for too
			}
			if len(d.CancelledTimers) != 1 || len(d.CancelledChildren) != told || d.CancelledChildren[0].Event != 2 {
				t.Errorf("timers %+v, children %+v", d.CancelledTimers, d.CancelledChildren)
			}
			d = s.turn(msgXE("kept", "x"), msgSC(3, "abandoned answers"))
			wantRunning(t, d)
			wantKinds(t, d, "XE SC(3)")
			d = s.turn(msgSC(4, "waited for"))
			wantKinds(t, d, "SC(4)")
			e.check(t, d)
		})
	}
	t.Run("a cancel while the end is held wins, and still waits", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			policyChild(c, "wait", policyWait)
			return []byte("out"), nil
		})
		d := s.turn(msgStart())
		wantRunning(t, d)
		if len(d.Children) != 1 {
			t.Fatalf("children: %+v", d.Children)
		}
		d = s.turn(msgCancel("stop"))
		wantRunning(t, d)
		wantKinds(t, d, "Cancel")
		wantCancelled(t, s.turn(msgSF(2, failure.Cancelled("x"))), "stop")
	})
	t.Run("a failure of the engine does not wait", func(t *testing.T) {
		s := tell(t, all(nil))
		s.turn(msgStart())
		d := s.turn(msgAF(5, failure.Infrastructure("disk", "full", false)))
		wantFailed(t, d, "infrastructure", "disk")
		if len(d.CancelledChildren) != 2 {
			t.Errorf("children: %+v", d.CancelledChildren)
		}
	})
	t.Run("a child that a cancelled turn scheduled is never sent, and keeps nobody", func(t *testing.T) {
		s := tell(t, all(nil))
		d := s.turn(msgStart(), msgCancel("stop"))
		wantCancelled(t, d, "stop")
		if len(d.Children) != 0 {
			t.Errorf("children: %+v", d.Children)
		}
	})
	t.Run("an abandoned child that the last turn scheduled is sent", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			policyChild(c, "abandon", policyAbandon)
			return nil, nil
		})
		d := s.turn(msgStart())
		wantCompleted(t, d, "")
		if len(d.Children) != 1 || kinds(d) != "S SS" {
			t.Errorf("children %+v, events %s", d.Children, kinds(d))
		}
	})
}

func TestEndings(t *testing.T) {
	t.Run("continue-as-new wins over a returned value, and the first of several counts", func(t *testing.T) {
		_, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.ContinueAsNew([]byte("first"), "")
			c.ContinueAsNew([]byte("second"), "")
			return []byte("returned"), nil
		})
		if d.Outcome != replay.ContinuedAsNew || string(d.Next.GetInput()) != "first" {
			t.Errorf("outcome %d, next %v", d.Outcome, d.Next)
		}
	})
	t.Run("the parent link survives it", func(t *testing.T) {
		m := replay.New(config(func(c *replay.Context, _ []byte) ([]byte, error) {
			_, err := c.ContinueAsNew(nil, "").Await()
			return nil, err
		}))
		defer m.Close()
		start := msgStart()
		start.GetStart().Parent = &turnpb.Parent{Instance: "p", Execution: 2, Event: 7}
		d := m.Advance(input(start))
		if p := d.Next.GetParent(); p.GetInstance() != "p" || p.GetExecution() != 2 || p.GetEvent() != 7 {
			t.Errorf("next: %v", d.Next)
		}
	})
	t.Run("detached starts are sent at every end", func(t *testing.T) {
		_, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Detached("D", "d", nil, replay.DetachedOptions{})
			_, err := c.ContinueAsNew(nil, "").Await()
			return nil, err
		})
		if len(d.Detached) != 1 || d.Outcome != replay.ContinuedAsNew {
			t.Errorf("decision: %+v", d)
		}
	})
	t.Run("nothing happens after the end", func(t *testing.T) {
		m, d := fresh(t, returns("done"))
		wantCompleted(t, d, "done")
		d = m.Advance(input(msgXE("E", ""), msgCancel("late")))
		wantRunning(t, d)
		wantKinds(t, d, "")
		wantRejected(t, d, 2)
	})
}

func TestEndWithoutCode(t *testing.T) {
	why := failure.PoisonOrchestration("inst", 1, 11, 10, "")
	const poisoned = turnpb.SegmentOrigin_SEGMENT_ORIGIN_POISON
	ran := false
	cfg := config(func(c *replay.Context, in []byte) ([]byte, error) { ran = true; return greet(c, in) })
	t.Run("what is open is given up, messages are recorded, code does not run", func(t *testing.T) {
		m := replay.New(cfg)
		defer m.Close()
		m.Load(replay.Segments(flat(evS(1), evAS(2, "Other", ""), evTC(3), evXS(4, "E"), evSS(5, "C", "sub::5", ""))))
		d := m.End(input(msgXE("F", "x")), why, poisoned)
		wantFailed(t, d, "poison", "poison: orchestration inst exceeded 11 attempts (max 10)")
		wantKinds(t, d, "XE ACancel(2) XCancel(4)")
		wantReasons2(t, d)
		if ran || d.Origin != poisoned || len(d.CancelledTimers) != 1 || len(d.CancelledChildren) != 1 || !m.Ended() {
			t.Errorf("ran %v, decision %+v", ran, d)
		}
	})
	t.Run("an instance that never had a turn gets its started event", func(t *testing.T) {
		m := replay.New(cfg)
		defer m.Close()
		d := m.End(input(msgXE("F", "x"), msgStart()), why, poisoned)
		wantFailed(t, d, "poison", "poison")
		wantKinds(t, d, "S XE")
		if ran || m.Started().GetName() != "Test" {
			t.Errorf("ran %v, started %v", ran, m.Started())
		}
	})
}

// wantReasons2 checks the two reasons that an end without code leaves.
func wantReasons2(t *testing.T, d replay.Decision) {
	t.Helper()
	for _, e := range d.Events {
		if a := e.GetActivityCancelRequested(); a != nil && a.GetReason() != replay.ReasonFailed {
			t.Errorf("activity: %v", a)
		}
		if x := e.GetExternalSubscribedCancelled(); x != nil && x.GetReason() != replay.ReasonTerminal {
			t.Errorf("wait: %v", x)
		}
	}
}
