package replay_test

import (
	"testing"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// cancelled takes the turn that cancels without code.
func cancelled(t *testing.T, history []*turnpb.Event, messages ...*turnpb.Message) replay.Decision {
	t.Helper()
	cfg := config(func(*replay.Context, []byte) ([]byte, error) {
		t.Error("code was run")
		return nil, nil
	})
	m := replay.New(cfg)
	t.Cleanup(m.Close)
	if len(history) > 0 {
		m.Load(replay.Segments(flat(history...)))
	}
	d := m.Cancel(input(messages...))
	if !m.Ended() {
		t.Error("the execution goes on")
	}
	if d.Origin != turnpb.SegmentOrigin_SEGMENT_ORIGIN_CANCEL {
		t.Errorf("the origin is %v", d.Origin)
	}
	return d
}

// TestF52_a_cancel_needs_no_code: what is open is given up as at any cancel.
func TestF52_a_cancel_needs_no_code(t *testing.T) {
	t.Run("before the first turn", func(t *testing.T) {
		d := cancelled(t, nil, msgStart(), msgCancel("enough"))
		wantCancelled(t, d, "enough")
	})
	t.Run("with all kinds of operations open", func(t *testing.T) {
		waited := evSS(6, "W", "sub::6", "")
		waited.GetSubOrchestrationScheduled().Policy = turnpb.ChildPolicy_CHILD_POLICY_WAIT
		abandoned := evSS(7, "D", "sub::7", "")
		abandoned.GetSubOrchestrationScheduled().Policy = turnpb.ChildPolicy_CHILD_POLICY_ABANDON
		d := cancelled(t, events(evS(1), evAS(2, "A", ""), evTC(3), evXS(4, "E"), evSS(5, "C", "sub::5", ""), waited, abandoned),
			msgCancel("enough"))
		wantCancelled(t, d, "enough")
		wantIDs(t, "activities", d.CancelledActivities, 2)
		if len(d.CancelledTimers) != 1 || len(d.CancelledChildren) != 2 {
			t.Fatalf("timers %v, children %v", d.CancelledTimers, d.CancelledChildren)
		}
		for _, c := range d.CancelledChildren {
			if c.Reason != "parent canceled" {
				t.Errorf("child %d is cancelled because %q", c.Event, c.Reason)
			}
		}
	})
	t.Run("while a cancel waits for a child", func(t *testing.T) {
		waited := evSS(2, "W", "sub::2", "")
		waited.GetSubOrchestrationScheduled().Policy = turnpb.ChildPolicy_CHILD_POLICY_WAIT
		d := cancelled(t, events(evS(1), waited, evCancel(3, "first")), msgCancel("second"))
		wantCancelled(t, d, "first")
	})
	t.Run("an orphan does not change how it ends", func(t *testing.T) {
		d := cancelled(t, events(evS(1), evAS(2, "A", "")), msgAC(9, ""), msgCancel("enough"))
		wantCancelled(t, d, "enough")
		wantRejected(t, d, 1)
	})
}

// TestDivergence: a host that holds an instance must know the code's own divergence from that of a child.
func TestDivergence(t *testing.T) {
	t.Run("the code's own", func(t *testing.T) {
		d := after(t, one("B", ""), events(evS(1), evAS(2, "A", "")))
		if d.Divergence == nil || d.Divergence != d.Failure {
			t.Errorf("the divergence is %v, the failure %v", d.Divergence, d.Failure)
		}
	})
	t.Run("a child's", func(t *testing.T) {
		code := func(c *replay.Context, _ []byte) ([]byte, error) {
			_, err := child(c, "C", "").Await()
			return nil, err
		}
		d := after(t, code,
			events(evS(1), evSS(2, "C", "sub::2", "")), msgSF(2, failure.Nondeterminism("TimerCreated", "mismatch")))
		if d.Divergence != nil || !failure.IsNondeterminism(d.Failure) {
			t.Errorf("the divergence is %v, the failure %v", d.Divergence, d.Failure)
		}
	})
	t.Run("an orphan is rejected if the host wants it so", func(t *testing.T) {
		cfg := config(one("A", ""))
		cfg.RejectOrphans = true
		d := afterWith(t, cfg, events(evS(1), evAS(2, "A", "")), msgAC(9, ""), msgTF(2))
		wantRunning(t, d)
		wantRejected(t, d, 2)
		if len(d.Orphans) != 2 || d.Divergence != nil {
			t.Errorf("the orphans are %q, the divergence %v", d.Orphans, d.Divergence)
		}
	})
}
