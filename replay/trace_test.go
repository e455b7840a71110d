package replay_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/replay"
)

// The worked traces of the specification, each turn also taken by a machine that is rebuilt from the segments.
func TestWorkedTraces(t *testing.T) {
	t.Run("A1 two activities in sequence", func(t *testing.T) {
		s := tell(t, two("a", "b"))
		wantKinds(t, s.turn(msgStart()), "S AS")
		wantKinds(t, s.turn(msgAC(2, "x")), "AC(2) AS")
		d := s.turn(msgAC(4, "y"))
		wantKinds(t, d, "AC(4)")
		wantCompleted(t, d, "x,y")
	})
	t.Run("A3 both completions in one batch, the activity first", func(t *testing.T) {
		s := tell(t, racing("A"))
		s.turn(msgStart())
		d := s.turn(msgAC(2, "r"), msgTF(3))
		wantCompleted(t, d, "activity_won")
		wantKinds(t, d, "AC(2) TF(3)")
	})
	t.Run("A4 the timer wins and the code goes on for several turns", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Race(activity(c, "A", ""), c.Timer(time.Minute))
			s, err := text(activity(c, "B", ""))
			return []byte(s), err
		})
		s.turn(msgStart())
		d := s.turn(msgTF(3))
		wantKinds(t, d, "TF(3) AS ACancel(2)")
		wantIDs(t, "cancelled", d.CancelledActivities, 2)
		d = s.turn(msgXE("other", ""))
		wantKinds(t, d, "XE")
		wantIDs(t, "cancelled", d.CancelledActivities)
		wantCompleted(t, s.turn(msgAC(5, "b")), "b")
	})
	t.Run("A8 a mailbox that is filled before the start", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			for range 3 {
				c.Dequeue("q").Await()
			}
			return nil, nil
		})
		d := s.turn(msgQ("q", "1"), msgStart(), msgQ("q", "2"))
		wantRunning(t, d)
		wantKinds(t, d, "S QE QE QS QS QS")
	})
	t.Run("A9 a positional wait that lost a race", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Race(c.WaitEvent("e", positional), c.Timer(time.Minute))
			c.Timer(time.Minute).Await()
			s, err := text(c.WaitEvent("e", positional))
			return []byte(s), err
		})
		s.turn(msgStart())
		wantKinds(t, s.turn(msgTF(3)), "TF(3) TC XCancel(2)")
		wantKinds(t, s.turn(msgXE("e", "early")), "XE")
		wantKinds(t, s.turn(msgTF(5)), "TF(5) XS")
		wantCompleted(t, s.turn(msgXE("e", "late")), "late")
	})
	t.Run("A11 a cancel with a child, an activity, a timer and waits open", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.All(child(c, "C", ""), activity(c, "A", ""), c.Timer(time.Minute), c.WaitEvent("e", positional), c.Dequeue("q"))
			return nil, nil
		})
		s.turn(msgStart())
		d := s.turn(msgCancel("stop"), msgCancel("again"))
		wantCancelled(t, d, "stop")
		wantKinds(t, d, "Cancel ACancel(3) XCancel(5) QCancel(6)")
		wantIDs(t, "cancelled", d.CancelledActivities, 3)
		want := replay.CancelledChild{Event: 2, Instance: "inst::sub::2", Reason: "parent canceled"}
		if len(d.CancelledChildren) != 1 || d.CancelledChildren[0] != want || len(d.CancelledTimers) != 1 {
			t.Errorf("children %+v, timers %+v", d.CancelledChildren, d.CancelledTimers)
		}
	})
	t.Run("a sub-orchestration that fails, and one that exists", func(t *testing.T) {
		for f, want := range map[string]string{"declined": "declined", "": "canceled: parent"} {
			s := tell(t, parent)
			s.turn(msgStart())
			why := activityFailed(f)
			if f == "" {
				why = failure.Cancelled("parent")
			}
			d := s.turn(msgSF(2, why))
			wantFailed(t, d, "application", want)
			wantIDs(t, "closed", d.ClosedChildren, 2)
		}
	})
}

var update = flag.Bool("update", false, "write the golden files anew")

// orders uses everything whose order is part of the history format.
func orders(c *replay.Context, _ []byte) ([]byte, error) {
	branch := func(name string) *replay.Future {
		return c.Go(func(c *replay.Context) (any, error) {
			x := activity(c, name, "1")
			y := activity(c, name, "2")
			inner := c.Go(func(c *replay.Context) (any, error) { c.NewGUID(); return activity(c, name, "inner").Await() })
			c.Select(x, y)
			c.Dequeue(name).Await()
			return inner.Await()
		})
	}
	a, b := branch("a"), branch("b")
	c.Random()
	won := c.Race(b, a, c.Timer(time.Minute))
	err := c.Scope(func(c *replay.Context) error {
		c.WaitEvent("in scope", buffered)
		s := "done"
		c.SetStatus(&s)
		return nil
	})
	c.KVSet("k", []byte(fmt.Sprint(won, c.Random()%1000)))
	c.Detached("D", "d-1", nil, replay.DetachedOptions{})
	_, _ = c.ContinueAsNew([]byte("next"), "").Await()
	return nil, err
}

// TestGoldenHistory holds the history format still: the order of coroutines and of events within a turn, the random
// stream and the guids. If it fails, histories that were written before no longer replay: that needs a new engine
// version, not a new golden file.
func TestGoldenHistory(t *testing.T) {
	s := tell(t, orders)
	s.turn(msgStart(), msgQ("b", "early"))
	s.turn(msgAC(5, "a2"), msgAC(7, "b2"), msgQ("a", "late"))
	s.turn(msgXE("left", "over"), msgAC(12, "inner a"), msgTF(3), msgAC(13, "inner b"))
	var got bytes.Buffer
	for i, seg := range s.history {
		fmt.Fprintf(&got, "turn %d converted %d\n", i+1, seg.Header.GetConverted())
		for _, e := range seg.Events {
			raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "%4d %-30s %q\n", e.GetId(), replay.KindName(e), raw)
		}
	}
	const file = "testdata/orders.golden"
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s (%v): got\n%s\nwant\n%s", file, err, got.Bytes(), want)
	}
}
