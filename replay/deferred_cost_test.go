package replay_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// takeOne takes one event, shows it as its status, and continues as new; it ends when it has taken as many as asked.
func takeOne(rounds int) replay.Func {
	return func(c *replay.Context, in []byte) ([]byte, error) {
		n, _ := strconv.Atoi(string(in))
		if n == rounds {
			return []byte("done"), nil
		}
		s := got(c.WaitEvent("in", buffered))
		s, _, _ = strings.Cut(s, " ")
		c.SetStatus(&s)
		c.ContinueAsNew([]byte(strconv.Itoa(n+1)), "")
		return nil, nil
	}
}

func TestF05_3000_events_from_8_senders_to_take_one_and_continue_as_new(t *testing.T) {
	const senders, each = 8, 375
	h := newHost(t, config(takeOne(senders*each)))
	h.every = 50
	defer func() { h.machine.Close() }()
	for i := range each {
		for s := range senders {
			h.box.put(msgXE("in", fmt.Sprintf("%d/%d", s, i)))
		}
	}
	for taken := 0; ; {
		d := h.turn(16, nil, nil)
		if d.Outcome == replay.Completed {
			if taken != senders*each || h.box.waiting != 0 {
				t.Errorf("%d were taken, %d wait", taken, h.box.waiting)
			}
			break
		}
		if d.Outcome != replay.ContinuedAsNew {
			t.Fatalf("after %d events: outcome %d, failure %v", taken, d.Outcome, d.Failure)
		}
		if want := fmt.Sprintf("%d/%d", taken%senders, taken/senders); *d.Status.Value != want {
			t.Fatalf("event %d was %s, want %s", taken, *d.Status.Value, want)
		}
		taken++
	}
	if h.turns != senders*each+1 {
		t.Errorf("%d turns for %d rounds", h.turns, senders*each)
	}
}

// roundCost is what a round makes a host read and write: messages that a turn is given, turns, and bytes that are
// committed.
type roundCost struct{ given, turns, bytes int }

// steadyRound is the cost of rounds when as many events as given wait all the time. first is how many messages the first
// turn of an execution gets by their age, if none are carried.
func steadyRound(t *testing.T, waiting, size, rounds, first int) (cost roundCost) {
	h := newHost(t, config(takeOne(-1)))
	h.every = 10
	defer func() { h.machine.Close() }()
	data := "i " + strings.Repeat("x", size)
	for range waiting {
		h.box.put(msgXE("in", data))
	}
	for range rounds {
		for ended := false; !ended; {
			most := 64
			if h.start != nil {
				most = max(0, first-len(h.start.GetStart().GetCarried()))
			}
			cost.given += len(h.box.page(h.wanted, most))
			d := h.turn(most, nil, nil)
			for _, e := range d.Events {
				cost.bytes += proto.Size(e)
			}
			cost.bytes += proto.Size(d.Next)
			cost.turns++
			ended = d.Outcome != replay.Running
		}
		for h.box.waiting < waiting {
			h.box.put(msgXE("in", data))
		}
	}
	return cost
}

func TestF05_a_round_costs_the_same_whatever_waits(t *testing.T) {
	const rounds = 40
	for _, size := range []int{1, 4 << 10, 100 << 10} {
		for _, first := range []int{0, 1, 64} {
			few, many := steadyRound(t, 100, size, rounds, first), steadyRound(t, 8_000, size, rounds, first)
			if few.given != many.given || few.turns != many.turns || many.bytes*100 > few.bytes*101 {
				t.Errorf("events of %d bytes, %d in a first turn: %d rounds cost %+v with 100 waiting and %+v with 8,000",
					size, first, rounds, few, many)
			}
			if many.turns > 2*rounds {
				t.Errorf("events of %d bytes, %d in a first turn: %d rounds took %d turns", size, first, rounds, many.turns)
			}
			// A first turn that gets one carries none: a round writes what it takes, once.
			if most := size + size/10 + 200; first == 1 && size < 64<<10 && (many.bytes > rounds*most || many.turns != rounds) {
				t.Errorf("events of %d bytes, one in a first turn: a round takes %d turns and writes %d bytes, want one turn and at most %d bytes",
					size, many.turns/rounds, many.bytes/rounds, most)
			}
		}
	}
}

// BenchmarkRoundWithWaiting is a round of "take one event of 4 KiB, continue as new" while others wait.
func BenchmarkRoundWithWaiting(b *testing.B) {
	for _, waiting := range []int{100, 8_000} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) {
			var box inbox
			data := "i " + strings.Repeat("x", 4<<10)
			for range waiting {
				box.put(msgXE("in", data))
			}
			cfg, start := config(takeOne(-1)), msgStart()
			b.ReportAllocs()
			for b.Loop() {
				m := replay.New(cfg)
				page := box.page(nil, 64)
				in := input(append([]*turnpb.Message{start}, box.messages(page)...)...)
				in.Behind = true
				d := m.Advance(in)
				if d.Outcome != replay.ContinuedAsNew {
					b.Fatalf("outcome %d", d.Outcome)
				}
				for range box.consume(b, page, 1, d) {
					box.put(msgXE("in", data))
				}
				start = msgStart()
				start.GetStart().Carried = d.Next.GetCarried()
				m.Close()
			}
		})
	}
}
