package replay_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// host runs an instance by the contract in the documentation of the package, and checks its turns: the same from a
// rebuilt machine, and what is recorded is what was consumed.
type host struct {
	t       failing
	cfg     replay.Config
	box     inbox
	start   *turnpb.Message // nil once it is consumed
	machine *replay.Machine
	history []replay.Segment
	wanted  []replay.ArrivalName // of the last turn
	turns   int
	every   int // of how many turns one is computed again by a rebuilt machine
}

func newHost(t failing, cfg replay.Config) *host {
	return &host{t: t, cfg: cfg, start: msgStart(), machine: replay.New(cfg), every: 1}
}

// turn gives the machine a page of the inbox, between other messages.
func (h *host) turn(most int, before, after []*turnpb.Message) replay.Decision {
	h.turns++
	page := h.box.page(h.wanted, most)
	in := replay.Input{TimeMs: int64(h.turns) * 1_000, Entropy: [16]byte{byte(h.turns)}, Behind: h.box.waiting > len(page)}
	if h.start != nil {
		in.Messages, h.start = append(in.Messages, h.start), nil
	}
	in.Messages = append(in.Messages, before...)
	at := len(in.Messages)
	in.Messages = append(append(in.Messages, h.box.messages(page)...), after...)
	d := h.machine.Advance(in)
	if h.turns%h.every == 0 {
		sameAsRebuilt(h.t, h.cfg, h.history, in, d, h.machine.Open())
	}
	if at == 0 && d.Outcome != replay.Failed && h.box.wants(h.wanted) && slices.Contains(d.Deferred, 0) && slices.Contains(h.wanted, nameAt(in, 0)) {
		h.t.Fatalf("turn %d: %v was wanted, came first and was left", h.turns, nameAt(in, 0))
	}
	h.sameArrivals(d, h.box.consume(h.t, page, at, d))
	h.wanted = d.Wanted
	if len(d.Events)+len(d.Rejected) > 0 {
		h.history = append(h.history, copyOf(d.Segment(uint64(h.turns), in, "test")))
	}
	if d.Outcome != replay.Running {
		h.end(d)
	}
	return d
}

func nameAt(in replay.Input, i int) replay.ArrivalName {
	name, _ := replay.NameOf(in.Messages[i])
	return name
}

// sameArrivals checks that the turn recorded what it consumed, no more, no less, in that order.
func (h *host) sameArrivals(d replay.Decision, taken []*turnpb.Message) {
	var recorded []*turnpb.Message
	for _, e := range d.Events[:d.Converted] {
		if msg := replay.MessageOf(h.cfg, e); msg.GetEventRaised() != nil || msg.GetQueueMessage() != nil {
			recorded = append(recorded, msg)
		}
	}
	if len(d.Events) > 0 {
		recorded = recorded[len(d.Events[0].GetStarted().GetCarried()):]
	}
	if a, b := fmt.Sprint(recorded), fmt.Sprint(taken); a != b {
		h.t.Fatalf("turn %d recorded\n%s\nand consumed\n%s", h.turns, a, b)
	}
}

// end verifies the execution that has ended and begins the next one, if there is one.
func (h *host) end(d replay.Decision) {
	h.machine.Close()
	if h.turns%h.every == 0 {
		if err := replay.Verify(h.cfg, h.history); err != nil {
			h.t.Fatalf("the oracle: %v", err)
		}
	}
	if d.Next == nil {
		return
	}
	size := 0
	for _, c := range d.Next.GetCarried() {
		size += len(c.GetName()) + len(c.GetData())
	}
	if l := h.cfg.Limits; l.Carried > 0 && len(d.Next.GetCarried()) > l.Carried || l.CarriedBytes > 0 && size > l.CarriedBytes {
		h.t.Fatalf("%d messages with %d bytes are carried, the limits are %d and %d", len(d.Next.GetCarried()), size, l.Carried, l.CarriedBytes)
	}
	h.start = &turnpb.Message{Kind: &turnpb.Message_Start{Start: d.Next}}
	h.cfg.Execution++
	h.machine, h.history, h.wanted = replay.New(h.cfg), nil, nil
}

// tiny draws limits that hold next to nothing: 0 to 2 messages.
func tiny(t *rapid.T) replay.Limits {
	if n := rapid.IntRange(0, 2).Draw(t, "held"); n > 0 {
		return replay.Limits{Carried: n, CarriedBytes: rapid.SampledFrom([]int{0, 12, 25}).Draw(t, "held bytes")}
	}
	return replay.Limits{CarriedBytes: 1}
}

// TestF05_random_programs_take_every_name_in_order lets random programs, which give up waits and end in every way, hold
// next to nothing. Whatever they do, each name is consumed in order, once, and recorded.
func TestF05_random_programs_take_every_name_in_order(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		var waits []stmt
		for i := range rapid.IntRange(0, 6).Draw(t, "waits") {
			s := genStmt(t, 0, fmt.Sprint("w", i))
			s.op = rapid.SampledFrom([]string{"dequeue", "start-dequeue", "start-wait", "start-positional", "await", "race", "activity"}).Draw(t, "wait")
			waits = append(waits, s)
		}
		cfg := config(program(append(waits, genBlock(t, 2, "p")...)))
		cfg.Limits = tiny(t)
		h := newHost(t, cfg)
		defer func() { h.machine.Close() }()
		var w world
		for h.cfg.Execution <= 3 && h.turns < 25 {
			var before, after []*turnpb.Message
			again := h.start == nil && h.box.wants(h.wanted)
			if !again || rapid.Bool().Draw(t, "more") {
				for _, msg := range w.messages(t, h.cfg.Execution) {
					name, ok := replay.NameOf(msg)
					switch {
					case ok && name.Kind == turnpb.ArrivalKind_ARRIVAL_KIND_EVENT:
						h.box.put(msgXE(name.Name, fmt.Sprint("data-", len(h.box.rows))))
					case ok:
						h.box.put(msgQ(name.Name, fmt.Sprint("data-", len(h.box.rows))))
					case rapid.Bool().Draw(t, "after"):
						after = append(after, msg)
					default:
						before = append(before, msg)
					}
				}
			}
			d := h.turn(rapid.IntRange(0, 4).Draw(t, "page"), before, after)
			seen[fmt.Sprint("outcome ", d.Outcome)]++
			if len(d.Deferred) > 0 {
				seen["deferred"]++
			}
			if again {
				seen["wanted"]++
			}
			switch d.Outcome {
			case replay.Running:
				w.apply(d)
			case replay.ContinuedAsNew:
				w = world{}
			default:
				return
			}
		}
	})
	t.Logf("seen: %v", seen)
	for _, what := range []string{"deferred", "wanted", fmt.Sprint("outcome ", replay.ContinuedAsNew)} {
		if seen[what] == 0 {
			t.Errorf("no turn was %s", what)
		}
	}
}

// taker is a program whose result depends only on the order within each name: it opens waits, awaits them in some
// order, runs activities, and continues as new.
type taker []takerStep

type takerStep struct {
	takes []replay.ArrivalName // none: an activity, or continue-as-new
	order []int
	next  bool
}

var takerNames = []replay.ArrivalName{eventName("a"), eventName("b"), queueName("a"), queueName("b")}

func genTaker(t *rapid.T) (p taker, takes map[replay.ArrivalName]int) {
	takes = map[replay.ArrivalName]int{}
	for range rapid.IntRange(1, 8).Draw(t, "steps") {
		s := takerStep{next: rapid.IntRange(0, 2).Draw(t, "next") == 0}
		if !s.next && rapid.IntRange(0, 3).Draw(t, "takes") > 0 {
			s.takes = rapid.SliceOfN(rapid.SampledFrom(takerNames), 1, 4).Draw(t, "names")
			for i, n := range s.takes {
				takes[n]++
				s.order = append(s.order, i)
			}
			s.order = rapid.Permutation(s.order).Draw(t, "order")
		}
		p = append(p, s)
	}
	return p, takes
}

func (p taker) run(c *replay.Context, in []byte) ([]byte, error) {
	at, trace := 0, ""
	if _, after, ok := strings.Cut(string(in), "at "); ok {
		_, err := fmt.Sscanf(after, "%d:%s", &at, &trace)
		if err != nil {
			return nil, err
		}
	}
	for i, s := range p[at:] {
		switch {
		case s.next:
			c.ContinueAsNew(fmt.Appendf(nil, "at %d:%s;", at+i+1, trace), "")
			return nil, nil
		case len(s.takes) == 0:
			trace += got(activity(c, "A", fmt.Sprint(i))) + ";"
		default:
			trace += take(c, s)
		}
	}
	return []byte(trace), nil
}

func take(c *replay.Context, s takerStep) (trace string) {
	var waits []*replay.Future
	for _, n := range s.takes {
		if n.Kind == turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE {
			waits = append(waits, c.Dequeue(n.Name))
		} else {
			waits = append(waits, c.WaitEvent(n.Name, buffered))
		}
	}
	for _, i := range s.order {
		trace += got(waits[i]) + ";"
	}
	return trace
}

// TestF05_what_is_held_does_not_change_what_a_program_takes runs one program with room for everything and with next to
// none, with the same messages. What it takes must be the same; and by the contract alone, with turns only for what
// comes and for what is wanted, it must come to its end.
func TestF05_what_is_held_does_not_change_what_a_program_takes(t *testing.T) {
	turns := map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		p, takes := genTaker(t)
		sent := genSent(t, takes)
		ample := config(p.run)
		ample.Limits = replay.Limits{Carried: -1, CarriedBytes: -1}
		want, n := runTaker(t, ample, sent, len(sent)+1)
		turns[false] += n
		small := config(p.run)
		small.Limits = tiny(t)
		got, n := runTaker(t, small, sent, rapid.IntRange(0, 3).Draw(t, "page"))
		turns[true] += n
		if got != want {
			t.Fatalf("with next to no room it took\n%s\nwith room\n%s", got, want)
		}
	})
	t.Logf("%d turns with room, %d without", turns[false], turns[true])
	if turns[true] <= turns[false] {
		t.Error("nothing was deferred")
	}
}

// genSent draws messages that are enough for what is taken, and more, in any order.
func genSent(t *rapid.T, takes map[replay.ArrivalName]int) (sent []*turnpb.Message) {
	var names []replay.ArrivalName
	for _, n := range takerNames {
		for range takes[n] + rapid.IntRange(0, 3).Draw(t, "too many") {
			names = append(names, n)
		}
	}
	if len(names) > 0 {
		names = rapid.Permutation(names).Draw(t, "sent")
	}
	for i, n := range names {
		if data := fmt.Sprint(i); n.Kind == turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE {
			sent = append(sent, msgQ(n.Name, data))
		} else {
			sent = append(sent, msgXE(n.Name, data))
		}
	}
	return sent
}

// runTaker runs a program to its end. Messages come in random portions.
func runTaker(t *rapid.T, cfg replay.Config, sent []*turnpb.Message, page int) (output string, turns int) {
	h := newHost(t, cfg)
	defer func() { h.machine.Close() }()
	left := slices.Clone(sent)
	var w world
	for h.turns < 1_000 {
		var before []*turnpb.Message
		switch {
		case h.start != nil || h.box.wants(h.wanted):
		case len(w.activities) > 0 && (len(left) == 0 || rapid.Bool().Draw(t, "answer")):
			before = append(before, inExecution(msgAC(w.activities[0], "r"), h.cfg.Execution))
			w.activities = w.activities[1:]
		case len(left) > 0:
			n := rapid.IntRange(1, len(left)).Draw(t, "portion")
			for _, msg := range left[:n] {
				h.box.put(msg)
			}
			left = left[n:]
		default:
			t.Fatalf("the program waits for ever: %d messages wait, wanted %v", h.box.waiting, h.wanted)
		}
		d := h.turn(page, before, nil)
		switch d.Outcome {
		case replay.Running:
			w.apply(d)
		case replay.ContinuedAsNew:
			w = world{}
		default:
			return fmt.Sprintf("%d %s", d.Outcome, d.Output), h.turns
		}
	}
	t.Fatalf("no end after %d turns", h.turns)
	return "", 0
}
