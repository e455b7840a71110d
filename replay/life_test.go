package replay_test

import (
	"errors"
	"testing"
	"time"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// msgBound starts an execution that may take 5 s.
func msgBound() *turnpb.Message {
	m := msgStart()
	m.GetStart().ExecutionTimeoutMs = 5_000
	return m
}

func wantTimers(t *testing.T, what string, got []replay.Timer, want ...replay.Timer) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %+v, want %+v", what, got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
}

func wantTimedOut(t *testing.T, d replay.Decision) {
	t.Helper()
	wantFailed(t, d, "application", "execution timed out: it took longer than 5s")
	if k := d.Failure.GetApplication().GetKind(); k != turnpb.ApplicationKind_APPLICATION_KIND_TIMED_OUT || d.Divergence != nil {
		t.Errorf("the failure is of kind %v, divergence %v", k, d.Divergence)
	}
}

// awaited waits for a future, and gives only its error.
func awaited(f *replay.Future) error {
	_, err := f.Await()
	return err
}

var bound = replay.Timer{Event: 1, FireAtMs: 6_000}

func TestExecutionTimeout(t *testing.T) {
	t.Run("it bounds an end in the first turn that waits for a child", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			policyChild(c, "wait", policyWait)
			return []byte("done"), nil
		})
		d := s.turn(msgBound())
		wantTimers(t, "started", d.Timers, bound)
		wantRunning(t, d)
		wantCompleted(t, s.turn(msgTF(1)), "done")
	})
	t.Run("it ends the execution, and waits for no child", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			policyChild(c, "cancel", policyCancel)
			policyChild(c, "wait", policyWait)
			policyChild(c, "abandon", policyAbandon)
			activity(c, "A", "")
			c.Timer(time.Hour)
			_, err := c.WaitEvent("never", positional).Await()
			return nil, err
		})
		d := s.turn(msgBound())
		wantTimers(t, "started", d.Timers, bound, replay.Timer{Event: 6, FireAtMs: 3_601_000})
		if n := s.resident.Open().Timers; n != 1 {
			t.Errorf("%d timers of the code are open, want 1", n)
		}
		d = s.turn(msgTF(1))
		wantTimedOut(t, d)
		wantKinds(t, d, "TF(1) ACancel(5) XCancel(7)")
		wantTimers(t, "cancelled", d.CancelledTimers, replay.Timer{Event: 6, FireAtMs: 3_601_000})
		if len(d.CancelledChildren) != 2 || d.CancelledChildren[0].Event != 2 || d.CancelledChildren[1].Event != 3 {
			t.Errorf("cancelled children: %+v", d.CancelledChildren)
		}
	})
	t.Run("an end before it deletes its timer", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			v, err := activity(c, "A", "").Await()
			return v.([]byte), err
		})
		s.turn(msgBound())
		d := s.turn(msgAC(2, "out"), msgTF(1)) // what came first counts
		wantCompleted(t, d, "out")
		s = tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			return []byte("out"), awaited(activity(c, "A", ""))
		})
		s.turn(msgBound())
		d = s.turn(msgAC(2, ""))
		wantCompleted(t, d, "out")
		wantTimers(t, "cancelled", d.CancelledTimers, bound)
	})
	t.Run("an end in the first turn sets no timer", func(t *testing.T) {
		d := tell(t, func(*replay.Context, []byte) ([]byte, error) { return nil, nil }).turn(msgBound())
		wantTimers(t, "set", d.Timers)
		wantTimers(t, "cancelled", d.CancelledTimers)
	})
	t.Run("what the execution had decided stands, and no child is waited for any more", func(t *testing.T) {
		ends := map[string]struct {
			code  func() ([]byte, error)
			msg   *turnpb.Message
			check func(t *testing.T, d replay.Decision)
		}{
			"result": {func() ([]byte, error) { return []byte("out"), nil }, msgXE("go", ""),
				func(t *testing.T, d replay.Decision) { wantCompleted(t, d, "out") }},
			"error": {func() ([]byte, error) { return nil, errors.New("bad") }, msgXE("go", ""),
				func(t *testing.T, d replay.Decision) { wantFailed(t, d, "application", "bad") }},
			"cancel": {nil, msgCancel("stop"), func(t *testing.T, d replay.Decision) { wantCancelled(t, d, "stop") }},
		}
		for name, e := range ends {
			t.Run(name, func(t *testing.T) {
				s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
					policyChild(c, "wait", policyWait)
					if err := awaited(c.WaitEvent("go", positional)); err != nil {
						return nil, err
					}
					return e.code()
				})
				s.turn(msgBound())
				d := s.turn(e.msg)
				wantRunning(t, d)
				wantTimers(t, "cancelled while it waits", d.CancelledTimers)
				d = s.turn(msgTF(1))
				e.check(t, d)
				if len(d.CancelledChildren) != 1 {
					t.Errorf("cancelled children: %+v", d.CancelledChildren)
				}
			})
		}
	})
	t.Run("the next execution has the same time", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			if err := awaited(c.WaitEvent("go", positional)); err != nil {
				return nil, err
			}
			_, err := c.ContinueAsNew(nil, "").Await()
			return nil, err
		})
		s.turn(msgBound())
		d := s.turn(msgXE("go", ""))
		if d.Outcome != replay.ContinuedAsNew || d.Next.GetExecutionTimeoutMs() != 5_000 {
			t.Errorf("outcome %d, next %v", d.Outcome, d.Next)
		}
		wantTimers(t, "cancelled", d.CancelledTimers, bound)
	})
	t.Run("it fires once", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			return nil, awaited(c.WaitEvent("never", positional))
		})
		s.turn(msgBound())
		d := s.turn(msgTF(1), msgTF(1))
		wantTimedOut(t, d)
		wantRejected(t, d, 1)
	})
	t.Run("a time without end", func(t *testing.T) {
		m := msgStart()
		m.GetStart().ExecutionTimeoutMs = 1<<63 - 1
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			return nil, awaited(c.WaitEvent("never", positional))
		})
		wantTimers(t, "set", s.turn(m).Timers, replay.Timer{Event: 1, FireAtMs: 1<<63 - 1})
	})
}

func TestTimesOfLifeOfStarts(t *testing.T) {
	life := replay.Life{DelayMs: 7, TimeoutMs: 9}
	s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
		c.Child("C", nil, replay.ChildOptions{Life: life})
		c.Detached("D", "d", nil, replay.DetachedOptions{Life: life})
		return nil, awaited(c.WaitEvent("never", positional))
	})
	d := s.turn(msgStart())
	if len(d.Children) != 1 || d.Children[0].Life != life || len(d.Detached) != 1 || d.Detached[0].Life != life {
		t.Errorf("children %+v, detached %+v", d.Children, d.Detached)
	}
}
