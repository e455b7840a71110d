package replay_test

import (
	"fmt"
	"testing"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// loaded is a machine that was given a history and has not run.
func loaded(t *testing.T, events ...*turnpb.Event) *replay.Machine {
	t.Helper()
	m := replay.New(config(identity))
	t.Cleanup(m.Close)
	if len(events) > 0 {
		m.Load(replay.Segments(flat(events...)))
	}
	return m
}

// identity gives what code sees of itself once an activity is done.
func identity(c *replay.Context, input []byte) ([]byte, error) {
	v, err := c.Activity("A", nil, replay.ActivityOptions{}).Await()
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s@%s of %s/%d: %s, %s", c.Name(), c.Version(), c.Instance(), c.Execution(), input, v), nil
}

// childStarted is the start of a child, of event 42 of its parent.
func childStarted() *turnpb.Event {
	e := evS(1)
	e.GetStarted().Parent = &turnpb.Parent{Instance: "parent", Execution: 3, Event: 42}
	return e
}

func TestWhatHistorySaysOfAnExecution(t *testing.T) {
	t.Run("INT_022 an empty history runs and has no name", func(t *testing.T) {
		if m := loaded(t); m.Started() != nil || m.Ended() {
			t.Errorf("started as %v, ended %v", m.Started(), m.Ended())
		}
	})
	t.Run("INT_023 a start has name, version and input", func(t *testing.T) {
		m := loaded(t, evS(1))
		if s := m.Started(); s.GetName() != "Test" || s.GetVersion() != "1.0.0" || string(s.GetInput()) != "input" || m.Ended() {
			t.Errorf("started as %v, ended %v", s, m.Ended())
		}
	})
	for sentence, end := range map[string]*turnpb.Event{
		"INT_024 a completed history has ended": evCompleted(2, "out"), "INT_025 a failed history has ended": evFailed(2, "oops"),
	} {
		t.Run(sentence, func(t *testing.T) {
			if m := loaded(t, evS(1), end); !m.Ended() || m.Started().GetName() != "Test" {
				t.Errorf("started as %v, ended %v", m.Started(), m.Ended())
			}
		})
	}
	t.Run("INT_026 a history that is continued has the next input", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			_, err := c.ContinueAsNew([]byte("next"), "").Await()
			return nil, err
		}, events(evS(1)))
		last := d.Events[len(d.Events)-1]
		if d.Outcome != replay.ContinuedAsNew || string(last.GetContinuedAsNew().GetInput()) != "next" || string(d.Next.GetInput()) != "next" {
			t.Fatalf("the end is %v, the next start %v", last, d.Next)
		}
		if m := loaded(t, evS(1), last); !m.Ended() {
			t.Error("it has not ended")
		}
	})
	t.Run("INT_027 a child's history has its parent", func(t *testing.T) {
		if p := loaded(t, childStarted()).Started().GetParent(); p.GetInstance() != "parent" || p.GetExecution() != 3 || p.GetEvent() != 42 {
			t.Errorf("its parent is %v", p)
		}
	})
	t.Run("INT_033 a history's length counts old and new events", func(t *testing.T) {
		m := loaded(t, evS(1))
		if n := m.NextEvent(); n != 2 {
			t.Errorf("the next event is %d before the turn", n)
		}
		if d := m.Advance(input()); len(d.Events) != 1 || m.NextEvent() != 3 {
			t.Errorf("%d events, the next one is %d", len(d.Events), m.NextEvent())
		}
	})
	t.Run("INT_034 an empty history is empty", func(t *testing.T) {
		if n := loaded(t).NextEvent(); n != 1 {
			t.Errorf("without a history the next event is %d", n)
		}
		if n := loaded(t, evS(1)).NextEvent(); n == 1 {
			t.Error("a history with a start is empty")
		}
	})
	t.Run("INT_035 a history is walked in whole", func(t *testing.T) {
		m := loaded(t)
		later := flat(evAS(2, "A", ""), evAC(3, 2, "a"))
		later[0].Header.Turn, later[0].Header.Converted = 2, 0
		m.Load(replay.Segments(append(flat(evS(1)), later...)))
		m.Advance(input())
		if m.Replayed() != 3 {
			t.Errorf("%d events of 3 were replayed", m.Replayed())
		}
	})
}

func TestWhatABatchSaysOfAnExecution(t *testing.T) {
	child := func() *turnpb.Message {
		m := msgStart()
		m.GetStart().Parent = &turnpb.Parent{Instance: "parent", Execution: 3, Event: 42}
		return m
	}
	t.Run("INT_028 a batch with a start has its fields and its completions", func(t *testing.T) {
		d := after(t, identity, nil, child(), msgXE("e", "1"), msgXE("e", "2"))
		wantKinds(t, d, "S XE XE AS")
		if s := d.Events[0].GetStarted(); s.GetName() != "Test" || string(s.GetInput()) != "input" || s.GetParent().GetEvent() != 42 || d.Converted != 3 {
			t.Errorf("started as %v, %d messages became events", s, d.Converted)
		}
	})
	// A child that continues keeps the parent that waits for it; a root has none.
	t.Run("INT_029 a batch that continues has the new input and no parent", func(t *testing.T) {
		first := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			_, err := c.ContinueAsNew([]byte("next"), "").Await()
			return nil, err
		}, events(evS(1)))
		d := after(t, identity, nil, &turnpb.Message{Kind: &turnpb.Message_Start{Start: first.Next}})
		if s := d.Events[0].GetStarted(); string(s.GetInput()) != "next" || s.GetParent() != nil {
			t.Errorf("started as %v", s)
		}
	})
	t.Run("INT_030 a batch of completions has the history's fields", func(t *testing.T) {
		d := after(t, identity, events(evS(1), evAS(2, "A", "")), msgAC(2, "a"))
		wantCompleted(t, d, "Test@1.0.0 of inst/1: input, a")
	})
	t.Run("INT_031 an empty batch has nothing", func(t *testing.T) {
		m := loaded(t, evS(1), evAS(2, "A", ""))
		if d := m.Advance(input()); len(d.Events) != 0 || d.Converted != 0 || d.Progress {
			t.Errorf("an empty batch gives %v", d.Events)
		}
	})
	t.Run("INT_032 the first of two starts in a batch counts", func(t *testing.T) {
		second := msgStart()
		second.GetStart().Input = []byte("second")
		d := after(t, identity, nil, msgStart(), second)
		wantKinds(t, d, "S AS")
		if s := d.Events[0].GetStarted(); string(s.GetInput()) != "input" {
			t.Errorf("started as %v", s)
		}
	})
}
