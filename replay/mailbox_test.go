package replay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// carriedOf runs code to its continue-as-new and lists what it carries over.
func carriedOf(t *testing.T, fn func(*replay.Context), messages ...*turnpb.Message) string {
	t.Helper()
	m := replay.New(config(func(c *replay.Context, _ []byte) ([]byte, error) {
		fn(c)
		_, err := c.ContinueAsNew(nil, "").Await()
		return nil, err
	}))
	defer m.Close()
	d := m.Advance(input(append([]*turnpb.Message{msgStart()}, messages...)...))
	if d.Outcome != replay.ContinuedAsNew {
		t.Fatalf("outcome %d", d.Outcome)
	}
	var out []string
	for _, c := range d.Next.GetCarried() {
		kind := "q"
		if c.GetKind() == turnpb.ArrivalKind_ARRIVAL_KIND_EVENT {
			kind = "e"
		}
		out = append(out, kind+":"+c.GetName()+"="+string(c.GetData()))
	}
	return strings.Join(out, " ")
}

func TestCarryForward(t *testing.T) {
	nothing := func(*replay.Context) {}
	take := func(queues ...string) func(*replay.Context) {
		return func(c *replay.Context) {
			for _, q := range queues {
				c.Dequeue(q)
			}
			c.NewGUID()
		}
	}
	giveUp := func(queue string, then ...string) func(*replay.Context) {
		return func(c *replay.Context) {
			c.Dequeue(queue).Cancel()
			take(then...)(c)
		}
	}
	cases := []struct {
		id   string
		code func(*replay.Context)
		in   []*turnpb.Message
		want string
	}{
		{"INT_001 nothing that came carries nothing", nothing, nil, ""},
		{"INT_002 what came and was not taken is carried in order", nothing, []*turnpb.Message{msgQ("x", "1"), msgQ("y", "2"), msgQ("x", "3")}, "q:x=1 q:y=2 q:x=3"},
		{"INT_003 what waits took is not carried", take("x"), []*turnpb.Message{msgQ("x", "1"), msgQ("x", "2")}, "q:x=2"},
		{"INT_004 a wait that was cancelled took nothing", giveUp("x"), []*turnpb.Message{msgQ("x", "1")}, "q:x=1"},
		{"INT_005 a wait takes of its own queue only", take("x"), []*turnpb.Message{msgQ("y", "1")}, "q:y=1"},
		{"INT_006 what is carried keeps its order over queues", take("x"), []*turnpb.Message{msgQ("z", "1"), msgQ("x", "2"), msgQ("y", "3"), msgQ("z", "4")}, "q:z=1 q:y=3 q:z=4"},
		{"INT_007 what is left of a queue is carried in order", take("x", "x"), []*turnpb.Message{msgQ("x", "1"), msgQ("x", "2"), msgQ("x", "3"), msgQ("x", "4")}, "q:x=3 q:x=4"},
		{"INT_008 events of other kinds change nothing", func(c *replay.Context) { c.Timer(time.Second); activity(c, "x", ""); c.NewGUID() }, []*turnpb.Message{msgQ("x", "1")}, "q:x=1"},
		{"INT_009 more waits than messages carry nothing", take("x", "x", "x"), []*turnpb.Message{msgQ("x", "1")}, ""},
		{"INT_010 a cancelled wait leaves its message and another queue's is taken", giveUp("x", "y"), []*turnpb.Message{msgQ("x", "1"), msgQ("y", "2")}, "q:x=1"},
		{"INT_013 activities alone carry nothing", func(c *replay.Context) { activity(c, "A", "") }, nil, ""},
	}
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) {
			if got := carriedOf(t, c.code, c.in...); got != c.want {
				t.Errorf("carried %q, want %q", got, c.want)
			}
		})
	}
	t.Run("INT_011 25 messages that were not taken are 25", func(t *testing.T) {
		var in []*turnpb.Message
		for i := range 25 {
			in = append(in, msgQ("x", fmt.Sprint(i)))
		}
		if n := len(strings.Fields(carriedOf(t, nothing, in...))); n != 25 {
			t.Errorf("carried %d", n)
		}
	})
	t.Run("INT_012 carrying stops at a bound and the rest stays where it is", func(t *testing.T) {
		// Ours: nothing is dropped, and nothing fails. 64 and 64 KiB are carried; the rest stays where it is.
		for _, c := range []struct{ messages, size, carried int }{
			{64, 1, 64}, {65, 1, 64}, {1_001, 1, 64},
			{1, 64<<10 - 1, 1}, {1, 64 << 10, 0}, {16, 4<<10 - 1, 16}, {17, 4<<10 - 1, 16},
		} {
			wantCarried(t, c.messages, c.size, c.carried)
		}
	})
	t.Run("INT_014 a cancellation of an unknown wait is harmless", func(t *testing.T) {
		d := after(t, returns("ok"), events(evS(1), &event{Id: 2, Source: 77, Kind: &turnpb.Event_QueueSubscriptionCancelled{
			QueueSubscriptionCancelled: &turnpb.QueueSubscriptionCancelled{Reason: replay.ReasonDropped}}}))
		wantCompleted(t, d, "ok")
	})
	t.Run("events that a buffered wait may still take are carried with the queues, in order", func(t *testing.T) {
		if got := carriedOf(t, nothing, msgXE("a", "1"), msgQ("a", "2"), msgXE("a", "3")); got != "e:a=1 q:a=2 e:a=3" {
			t.Errorf("carried %q", got)
		}
	})
	t.Run("what is carried comes first in the next execution, as real arrivals", func(t *testing.T) {
		start := msgStart()
		start.GetStart().Carried = []*turnpb.Carried{
			{Kind: turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE, Name: "x", Data: []byte("old")},
			{Kind: turnpb.ArrivalKind_ARRIVAL_KIND_EVENT, Name: "e", Data: []byte("kept")}}
		m := replay.New(config(func(c *replay.Context, _ []byte) ([]byte, error) {
			a, _ := text(c.Dequeue("x"))
			b, _ := text(c.Dequeue("x"))
			e, _ := text(c.WaitEvent("e", buffered))
			return []byte(a + b + e), nil
		}))
		defer m.Close()
		d := m.Advance(input(msgQ("x", "new"), start))
		wantCompleted(t, d, "oldnewkept")
		wantKinds(t, d, "S QE XE QE QS QS XS")
		if d.Converted != 4 {
			t.Errorf("converted %d", d.Converted)
		}
	})
}

// wantCarried continues as new with queue messages of one size before it, and checks how many are carried; the others
// must be deferred.
func wantCarried(t *testing.T, messages, size, carried int) {
	t.Helper()
	m := replay.New(config(func(c *replay.Context, _ []byte) ([]byte, error) {
		_, err := c.ContinueAsNew(nil, "").Await()
		return nil, err
	}))
	defer m.Close()
	in := input(msgStart())
	for range messages {
		in.Messages = append(in.Messages, msgQ("q", strings.Repeat("x", size)))
	}
	d := m.Advance(in)
	if d.Outcome != replay.ContinuedAsNew || len(d.Next.GetCarried()) != carried || len(d.Deferred) != messages-carried {
		t.Errorf("%d messages of %d bytes: outcome %d, %d carried, %d deferred", messages, size, d.Outcome, len(d.Next.GetCarried()), len(d.Deferred))
	}
}

func TestWaits(t *testing.T) {
	t.Run("a positional wait does not see what came before it", func(t *testing.T) {
		m, d := fresh(t, waits("E"))
		_ = m
		wantRunning(t, d)
		d = after(t, waits("E"), events(evS(1), evXE(2, "E", "early")))
		wantRunning(t, d)
		wantKinds(t, d, "XS")
	})
	t.Run("a buffered wait does, oldest first", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			a, _ := text(c.WaitEvent("E", buffered))
			b, _ := text(c.WaitEvent("E", buffered))
			return []byte(a + b), nil
		}, events(evS(1), evXE(2, "E", "1"), evXE(3, "E", "2")))
		wantCompleted(t, d, "12")
	})
	t.Run("a wait that was given up takes no place", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.WaitEvent("E", positional).Cancel()
			c.WaitEvent("E", positional).Cancel()
			s, _ := text(c.WaitEvent("E", positional))
			return []byte(s), nil
		}, events(evS(1)))
		wantRunning(t, d)
		h := append(events(evS(1)), d.Events...)
		d = after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.WaitEvent("E", positional).Cancel()
			c.WaitEvent("E", positional).Cancel()
			s, _ := text(c.WaitEvent("E", positional))
			return []byte(s), nil
		}, h, msgXE("E", "x"))
		wantCompleted(t, d, "x")
	})
	t.Run("two equal events satisfy two waits, in the order of the waits", func(t *testing.T) {
		_, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			a, b := c.WaitEvent("E", positional), c.WaitEvent("E", positional)
			c.All(b, a)
			return []byte("both"), nil
		})
		wantRunning(t, d)
	})
	t.Run("a queue and an event of the same name are apart", func(t *testing.T) {
		m, _ := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			if c.Select(c.Dequeue("n"), c.WaitEvent("n", buffered)) == 1 {
				return []byte("event"), nil
			}
			return []byte("queue"), nil
		})
		wantCompleted(t, m.Advance(input(msgXE("n", "x"), msgQ("n", "y"))), "event")
	})
	t.Run("a mailbox that is full is read in one turn", func(t *testing.T) {
		in := input(msgStart())
		for range 1_000 {
			in.Messages = append(in.Messages, msgQ("q", "x"))
		}
		cfg := config(func(c *replay.Context, _ []byte) ([]byte, error) {
			for range 1_000 {
				c.Dequeue("q").Await()
			}
			return []byte("read"), nil
		})
		cfg.Limits.Carried = 1_000
		m := replay.New(cfg)
		defer m.Close()
		wantCompleted(t, m.Advance(in), "read")
	})
	t.Run("the order in which code polls does not matter, the order of subscriptions does", func(t *testing.T) {
		code := func(c *replay.Context, _ []byte) ([]byte, error) {
			x := c.Dequeue("q1")
			y := c.Dequeue("q2")
			return []byte(fmt.Sprint(c.Race(y, x))), nil
		}
		in := input(msgStart(), msgQ("q1", "a"), msgQ("q2", "b"))
		m := replay.New(config(code))
		defer m.Close()
		d := m.Advance(in)
		// x is bound first and takes its message in that step; then code runs, and y is given up before it is bound.
		wantCompleted(t, d, "1")
		if err := replay.Verify(config(code), []replay.Segment{d.Segment(1, in, "test")}); err != nil {
			t.Error(err)
		}
	})
}

func TestOutstanding(t *testing.T) {
	open := func(fn replay.Func, h []*event, messages ...*turnpb.Message) replay.OpenCounts {
		m := replay.New(config(fn))
		defer m.Close()
		m.Load(replay.Segments(flat(h...)))
		m.Advance(input(messages...))
		return m.Open()
	}
	mixed := func(c *replay.Context, _ []byte) ([]byte, error) {
		activity(c, "A", "").Await()
		activity(c, "B", "")
		activity(c, "C", "").Cancel()
		c.WaitEvent("E", positional)
		c.Dequeue("q")
		child(c, "D", "")
		c.Timer(time.Minute).Await()
		return nil, nil
	}
	t.Run("INT_015 nothing but a wait is open after a wait", func(t *testing.T) {
		if got := open(waits("E"), events(evS(1), evXS(2, "E"))); got.Activities+got.Children+got.Queues != 0 || got.Waits != 1 {
			t.Errorf("open: %+v", got)
		}
	})
	t.Run("INT_016 nothing is open after the result", func(t *testing.T) {
		d := after(t, greet, events(evS(1), evAS(2, "Greet", "Alice")), msgAC(2, "r"))
		if kinds(d) != "AC(2)" || len(d.CancelledActivities) != 0 {
			t.Errorf("something was left open: %s", kinds(d))
		}
	})
	t.Run("INT_017 what was cancelled is not open", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			activity(c, "A", "").Cancel()
			_, err := c.ContinueAsNew(nil, "").Await()
			return nil, err
		}, events(evS(1), evAS(2, "A", "")))
		wantKinds(t, d, "ACancel(2)")
		wantReasons(t, d, replay.ReasonDropped)
	})
	t.Run("INT_018 what is open is counted by its kind and cancelled in order", func(t *testing.T) {
		got := open(mixed, events(evS(1), evAS(2, "A", "")), msgAC(2, "r"))
		if want := (replay.OpenCounts{Activities: 1, Timers: 1, Waits: 1, Queues: 1, Children: 1}); got != want {
			t.Errorf("open: %+v", got)
		}
		d := after(t, mixed, events(evS(1), evAS(2, "A", "")), msgAC(2, "r"), msgCancel("now"))
		wantKinds(t, d, "AC(2) Cancel AS AS XS QS SS TC ACancel(5) ACancel(6) XCancel(7) QCancel(8)")
	})
	queues := func(first bool) replay.Func {
		return func(c *replay.Context, _ []byte) ([]byte, error) {
			a, b := c.Dequeue("q"), c.Dequeue("q")
			if !first {
				a.Cancel()
			}
			c.All(a, b)
			c.ContinueAsNew(nil, "").Await()
			return nil, nil
		}
	}
	t.Run("INT_019 of two waits of a queue the first message leaves the second open", func(t *testing.T) {
		m, _ := fresh(t, queues(true))
		m.Advance(input(msgQ("q", "x")))
		d := m.Advance(input(msgCancel("now")))
		wantKinds(t, d, "Cancel QCancel(3)")
		wantReasons(t, d, replay.ReasonTerminal)
	})
	t.Run("INT_020 a wait that was cancelled takes no message from the next", func(t *testing.T) {
		m, _ := fresh(t, queues(false))
		d := m.Advance(input(msgQ("q", "x")))
		if d.Outcome != replay.ContinuedAsNew || kinds(d) != "QE" {
			t.Errorf("outcome %d, events %s", d.Outcome, kinds(d))
		}
	})
	t.Run("INT_021 more messages than waits leave no wait open", func(t *testing.T) {
		m, _ := fresh(t, queues(true))
		d := m.Advance(input(msgQ("q", "1"), msgQ("q", "2"), msgQ("q", "3")))
		if d.Outcome != replay.ContinuedAsNew || kinds(d) != "QE QE QE" || len(d.Next.GetCarried()) != 1 {
			t.Errorf("outcome %d, events %s, next %v", d.Outcome, kinds(d), d.Next)
		}
	})
}
