package replay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

func eventName(name string) replay.ArrivalName {
	return replay.ArrivalName{Kind: turnpb.ArrivalKind_ARRIVAL_KIND_EVENT, Name: name}
}

func queueName(name string) replay.ArrivalName {
	return replay.ArrivalName{Kind: turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE, Name: name}
}

func wantLeft(t *testing.T, d replay.Decision, deferred []int, wanted ...replay.ArrivalName) {
	t.Helper()
	if fmt.Sprint(d.Deferred) != fmt.Sprint(deferred) {
		t.Errorf("deferred %v, want %v", d.Deferred, deferred)
	}
	if fmt.Sprint(d.Wanted) != fmt.Sprint(wanted) {
		t.Errorf("wanted %v, want %v", d.Wanted, wanted)
	}
}

// holding is a machine that holds few arrivals and has taken its first turn.
func holding(t *testing.T, messages, bytes int, code func(c *replay.Context) string) *story {
	t.Helper()
	cfg := config(func(c *replay.Context, _ []byte) ([]byte, error) { return []byte(code(c)), nil })
	cfg.Limits.Carried, cfg.Limits.CarriedBytes = messages, bytes
	s := tellWith(t, cfg)
	wantRunning(t, s.turn(msgStart()))
	return s
}

// asleep waits for a timer, event 2, before it goes on.
func asleep(then func(c *replay.Context) string) func(c *replay.Context) string {
	return func(c *replay.Context) string {
		c.Timer(time.Second).Await()
		return then(c)
	}
}

func got(f *replay.Future) string {
	s, err := text(f)
	if err != nil {
		return err.Error()
	}
	return s
}

func TestF05_what_cannot_be_held_is_deferred(t *testing.T) {
	nothing := asleep(func(*replay.Context) string { return "done" })
	t.Run("the first that does not fit, and what fits no more", func(t *testing.T) {
		s := holding(t, 2, 0, nothing)
		d := s.turn(msgQ("a", "1"), msgXE("a", "2"), msgQ("b", "3"), msgXE("c", "4"))
		wantKinds(t, d, "QE XE")
		wantLeft(t, d, []int{2, 3})
	})
	t.Run("bytes are those of name and data", func(t *testing.T) {
		s := holding(t, 0, 10, nothing)
		d := s.turn(msgQ("name", "5byte"), msgQ("n", "2"), msgXE("x", ""), msgXE("y", ""))
		wantKinds(t, d, "QE XE")
		wantLeft(t, d, []int{1, 3})
	})
	t.Run("control messages and completions pass", func(t *testing.T) {
		s := holding(t, 1, 0, asleep(func(c *replay.Context) string { return got(activity(c, "A", "")) }))
		d := s.turn(msgQ("q", "1"), msgQ("q", "2"), msgTF(2), msgQ("q", "3"))
		wantKinds(t, d, "QE TF(2) AS")
		wantLeft(t, d, []int{1, 3})
		d = s.turn(msgQ("q", "2"), inExecution(msgAC(5, "stranger"), 9), msgAC(5, "r"), msgQ("q", "3"), msgCancel("stop"))
		wantKinds(t, d, "AC(5) Cancel")
		wantRejected(t, d, 1)
		wantLeft(t, d, []int{0, 3})
		wantCancelled(t, d, "stop")
	})
	t.Run("a wait takes what could never be held", func(t *testing.T) {
		s := holding(t, 1, 8, func(c *replay.Context) string { return got(c.Dequeue("q")) })
		d := s.turn(msgXE("full", "----"), msgXE("q", "an event is no queue message"), msgQ("q", "more than eight bytes"))
		wantKinds(t, d, "XE QE")
		wantLeft(t, d, []int{1})
		wantCompleted(t, d, "more than eight bytes")
	})
	t.Run("nothing overtakes an earlier one of its name", func(t *testing.T) {
		s := holding(t, 0, 10, nothing)
		d := s.turn(msgQ("q", "more than ten bytes"), msgQ("q", "1"), msgXE("q", "2"), msgQ("p", "3"), msgQ("q", ""))
		wantKinds(t, d, "XE QE")
		wantLeft(t, d, []int{0, 1, 4})
	})
	t.Run("a wait that was given up in the same turn takes nothing", func(t *testing.T) {
		race := func(c *replay.Context) string { return fmt.Sprint(c.Race(c.Timer(time.Second), c.Dequeue("q"))) }
		s := holding(t, 0, 4, race)
		d := s.turn(msgTF(2), msgQ("q", "too large"))
		wantKinds(t, d, "TF(2) QCancel(3)")
		wantLeft(t, d, []int{1})
		wantCompleted(t, d, "0")
		s = holding(t, 0, 4, race)
		wantCompleted(t, s.turn(msgQ("q", "too large"), msgTF(2)), "1")
	})
	t.Run("what a wait took leaves room", func(t *testing.T) {
		s := holding(t, 1, 5, asleep(func(c *replay.Context) string { return got(c.Dequeue("q")) + got(c.WaitEvent("last", buffered)) }))
		wantLeft(t, s.turn(msgQ("q", "1234")), nil)
		wantLeft(t, s.turn(msgTF(2)), nil)
		wantLeft(t, s.turn(msgQ("p", "5678")), nil)
		d := s.turn(msgQ("p", ""), msgXE("last", "-"))
		wantLeft(t, d, []int{0})
		wantCompleted(t, d, "1234-")
	})
	t.Run("a turn that fails holds no more than any other", func(t *testing.T) {
		s := holding(t, 1, 0, nothing)
		d := s.turn(msgXE("a", "1"), msgXE("b", "2"), msgTF(77))
		wantKinds(t, d, "XE")
		wantLeft(t, d, []int{1})
		wantNondeterminism(t, d)
		cfg := config(waits("E"))
		cfg.Limits.Carried = 1
		m := replay.New(cfg)
		defer m.Close()
		m.Load(replay.Segments(flat(evS(1), evXS(2, "E"))))
		d = m.End(input(msgXE("E", "1"), msgXE("E", "2")), failure.Infrastructure("op", "text", false), turnpb.SegmentOrigin_SEGMENT_ORIGIN_POISON)
		wantKinds(t, d, "XE XCancel(2)")
		wantLeft(t, d, []int{1})
	})
	t.Run("a replayed history keeps what it holds, whatever the limits are now", func(t *testing.T) {
		cfg := config(func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Timer(time.Second).Await()
			return []byte(got(c.Dequeue("q")) + got(c.Dequeue("q"))), nil
		})
		cfg.Limits.Carried = 1
		d := afterWith(t, cfg, events(evS(1), evTC(2), evQE(3, "q", "a"), evQE(4, "q", "b")), msgTF(2), msgQ("q", "c"))
		wantCompleted(t, d, "ab")
		wantLeft(t, d, []int{1})
	})
}

func evQE(id uint64, name, data string) *turnpb.Event {
	return &turnpb.Event{Id: id, Kind: &turnpb.Event_QueueEventDelivered{
		QueueEventDelivered: &turnpb.QueueEventDelivered{Name: name, Data: []byte(data)}}}
}

func TestF05_a_wait_that_opens_asks_for_what_was_left(t *testing.T) {
	t.Run("in the turn itself it is not given", func(t *testing.T) {
		s := holding(t, 0, 1, asleep(func(c *replay.Context) string { return got(c.Dequeue("q")) + got(c.Dequeue("q")) }))
		d := s.turn(msgQ("q", "1"), msgTF(2), msgQ("q", "2"), msgQ("other", "3"))
		wantKinds(t, d, "TF(2) QS")
		wantLeft(t, d, []int{0, 2, 3}, queueName("q"))
		d = s.turn(msgQ("q", "1"), msgQ("q", "2"), msgQ("other", "3"))
		wantKinds(t, d, "QE QS")
		wantLeft(t, d, []int{1, 2}, queueName("q"))
		wantCompleted(t, s.turn(msgQ("q", "2")), "12")
	})
	t.Run("a positional wait may take what was deferred before it", func(t *testing.T) {
		s := holding(t, 1, 0, asleep(func(c *replay.Context) string { return got(c.WaitEvent("E", positional)) }))
		d := s.turn(msgXE("E", "held, so it came before the wait"), msgXE("E", "left"), msgTF(2))
		wantLeft(t, d, []int{1}, eventName("E"))
		wantCompleted(t, s.turn(msgXE("E", "left")), "left")
	})
	t.Run("each name once, by its oldest wait", func(t *testing.T) {
		s := holding(t, 0, 0, func(c *replay.Context) string {
			c.Dequeue("z")
			c.WaitEvent("a", buffered)
			c.Dequeue("z")
			c.WaitEvent("z", positional)
			c.Dequeue("given up").Cancel()
			c.Timer(time.Second).Await()
			return ""
		})
		in := input(msgXE("other", ""))
		wantLeft(t, s.advance(in), nil)
		in.Behind = true
		wantLeft(t, s.advance(in), nil, queueName("z"), eventName("a"), eventName("z"))
		in = input(msgQ("z", ""), msgQ("z", ""), msgXE("a", ""))
		in.Behind = true
		wantLeft(t, s.advance(in), nil, eventName("z"))
		in = input(msgTF(6))
		in.Behind = true
		wantLeft(t, s.advance(in), nil)
	})
	t.Run("a turn without messages tells a host that has just loaded what is wanted", func(t *testing.T) {
		replaying := false
		m := replay.New(config(func(c *replay.Context, _ []byte) ([]byte, error) {
			q, a := c.Dequeue("q"), activity(c, "A", "")
			got(a)
			replaying = c.Replaying()
			return []byte(got(q)), nil
		}))
		defer m.Close()
		qs := &event{Id: 2, Kind: &turnpb.Event_QueueSubscribed{QueueSubscribed: &turnpb.QueueSubscribed{Name: "q"}}}
		m.Load(replay.Segments(flat(evS(1), qs, evAS(3, "A", ""), evAC(4, 3, "r"))))
		d := m.Advance(replay.Input{TimeMs: 2_000, Behind: true})
		wantLeft(t, d, nil, queueName("q"))
		if len(d.Events) > 0 || !replaying {
			t.Errorf("events %s, replaying %v", kinds(d), replaying)
		}
		wantCompleted(t, m.Advance(input(msgQ("q", "x"))), "x")
	})
	t.Run("an end that waits for children asks for nothing", func(t *testing.T) {
		s := holding(t, 1, 0, func(c *replay.Context) string {
			c.Child("C", nil, replay.ChildOptions{Policy: policyWait})
			c.Dequeue("q")
			c.ContinueAsNew(nil, "")
			c.Timer(time.Second).Await()
			return ""
		})
		d := s.turn(msgQ("q", "1"), msgQ("q", "2"))
		wantLeft(t, d, []int{1})
		d = s.turn(msgSC(2, ""), msgQ("q", "2"))
		wantLeft(t, d, []int{1})
		if d.Outcome != replay.ContinuedAsNew || len(d.Next.GetCarried()) != 1 {
			t.Errorf("outcome %d, next %v", d.Outcome, d.Next)
		}
	})
}

func TestF05_a_turn_that_takes_nothing_leaves_no_trace(t *testing.T) {
	s := holding(t, 0, 1, func(c *replay.Context) string {
		c.Timer(time.Second).Await()
		return fmt.Sprint(c.Now().UnixMilli())
	})
	in := input(msgQ("q", "left"))
	in.TimeMs = 9_000
	d := s.advance(in)
	if len(d.Events)+len(d.Rejected) > 0 || d.Progress || d.Outcome != replay.Running {
		t.Errorf("events %s, rejected %v, progress %v, outcome %d", kinds(d), d.Rejected, d.Progress, d.Outcome)
	}
	wantLeft(t, d, []int{0})
	in = input(msgTF(2))
	in.TimeMs = 8_000
	wantCompleted(t, s.advance(in), "8000")
}

func TestF05_the_next_execution_holds_what_the_last_one_carried(t *testing.T) {
	cfg := config(func(c *replay.Context, _ []byte) ([]byte, error) {
		c.ContinueAsNew([]byte(got(c.WaitEvent("e", buffered))), "")
		return nil, nil
	})
	cfg.Limits.Carried = 3
	waiting := []*turnpb.Message{}
	for i := range 6 {
		waiting = append(waiting, msgXE("e", fmt.Sprint(i)))
	}
	start, next := msgStart(), 0
	for round := range 6 {
		cfg.Execution = uint64(round + 1)
		s := tellWith(t, cfg)
		d := s.turn(append([]*turnpb.Message{start}, waiting[next:]...)...)
		if d.Outcome != replay.ContinuedAsNew || string(d.Next.GetInput()) != fmt.Sprint(round) {
			t.Fatalf("round %d: outcome %d, input %q", round, d.Outcome, d.Next.GetInput())
		}
		next = len(waiting) - len(d.Deferred)
		if want := min(2, 5-round); len(d.Next.GetCarried()) != want {
			t.Errorf("round %d: %d carried, want %d", round, len(d.Next.GetCarried()), want)
		}
		start = &turnpb.Message{Kind: &turnpb.Message_Start{Start: d.Next}}
	}
}

func TestF05_limits_do_not_change_what_verifies(t *testing.T) {
	cfg := config(func(c *replay.Context, _ []byte) ([]byte, error) {
		c.Timer(time.Second).Await()
		return []byte(got(c.Dequeue("q"))), nil
	})
	s := tellWith(t, cfg)
	s.turn(msgStart(), msgQ("q", "1"), msgQ("q", strings.Repeat("x", 1_000)))
	wantCompleted(t, s.turn(msgTF(4)), "1")
	cfg.Limits = replay.Limits{Carried: 1, CarriedBytes: 1}
	if err := replay.Verify(cfg, s.history); err != nil {
		t.Error(err)
	}
}
