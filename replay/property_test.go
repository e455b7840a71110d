package replay_test

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// world is what surrounds an instance in the property test: what it has scheduled and has no answer yet.
type world struct {
	activities, timers, children, sends, awaits []uint64
}

func (w *world) apply(d replay.Decision) {
	for _, a := range d.Activities {
		w.activities = append(w.activities, a.Event)
	}
	for _, x := range d.Timers {
		w.timers = append(w.timers, x.Event)
	}
	for _, c := range d.Children {
		w.children = append(w.children, c.Event)
	}
	for _, x := range d.Sends {
		w.sends = append(w.sends, x.Event)
	}
	for _, x := range d.Awaits {
		w.awaits = append(w.awaits, x.Event)
	}
	for _, x := range d.CancelledTimers {
		w.timers = without(w.timers, x.Event)
	}
}

func without(ids []uint64, id uint64) []uint64 {
	var out []uint64
	for _, x := range ids {
		if x != id {
			out = append(out, x)
		}
	}
	return out
}

// messages draws what a turn brings. Cancelled activities and children may still answer; duplicates and strangers
// occur; a message that answers nothing at all is rare, since it ends the execution.
func (w *world) messages(t *rapid.T, execution uint64) []*turnpb.Message {
	n := rapid.IntRange(1, 4).Draw(t, "messages")
	var out []*turnpb.Message
	for range n {
		out = append(out, w.message(t, execution))
	}
	return out
}

func (w *world) message(t *rapid.T, execution uint64) *turnpb.Message {
	take := func(ids *[]uint64) uint64 {
		i := rapid.IntRange(0, len(*ids)-1).Draw(t, "which")
		id := (*ids)[i]
		if rapid.IntRange(0, 9).Draw(t, "again") > 0 {
			*ids = without(*ids, id)
		}
		return id
	}
	kind := rapid.IntRange(0, 99).Draw(t, "kind")
	data := fmt.Sprint("data-", rapid.IntRange(0, 99).Draw(t, "data"))
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")
	switch {
	case kind < 40 && len(w.activities) > 0:
		if id := take(&w.activities); kind < 32 {
			return inExecution(msgAC(id, data), execution)
		} else if kind < 39 {
			return inExecution(msgAF(id, activityFailed(data)), execution)
		} else {
			return inExecution(msgAF(id, failure.Infrastructure("op", data, false)), execution)
		}
	case kind < 46 && len(w.sends) > 0:
		m := msgSent(take(&w.sends), turnpb.SendOutcome(rapid.IntRange(0, 3).Draw(t, "sent")))
		return inExecution(m, execution)
	case kind < 52 && len(w.awaits) > 0:
		m := &turnpb.Message{Event: take(&w.awaits), Kind: &turnpb.Message_AwaitEnded{AwaitEnded: awaitedEnd(kind, data)}}
		return inExecution(m, execution)
	case kind < 60 && len(w.timers) > 0:
		return inExecution(msgTF(take(&w.timers)), execution)
	case kind < 75 && len(w.children) > 0:
		switch id := take(&w.children); {
		case kind < 69:
			return inExecution(msgSC(id, data), execution)
		case kind < 73:
			return inExecution(msgSF(id, failure.Cancelled(data)), execution)
		case kind < 74:
			return inExecution(msgSF(id, failure.Nondeterminism("r", data)), execution)
		default:
			return inExecution(msgSF(id, failure.PoisonOrchestration("child", 1, 11, 10, data)), execution)
		}
	case kind < 87:
		return msgXE("event-"+name, data)
	case kind < 96:
		return msgQ("queue-"+name, data)
	case kind < 97:
		return msgCancel(data)
	case kind < 98:
		return inExecution(msgAC(2, data), execution+1)
	case kind < 99:
		return msgStart()
	default:
		if rapid.IntRange(0, 3).Draw(t, "really") > 0 {
			return msgQ("queue-"+name, data)
		}
		return inExecution(msgTF(uint64(rapid.IntRange(2, 40).Draw(t, "orphan"))), execution)
	}
}

// awaitedEnd is how an instance ended that another one waits for.
func awaitedEnd(kind int, data string) *turnpb.AwaitEnded {
	switch kind % 3 {
	case 0:
		return &turnpb.AwaitEnded{}
	case 1:
		return &turnpb.AwaitEnded{End: &turnpb.AwaitEnded_Completed{Completed: &turnpb.OrchestrationCompleted{Output: []byte(data)}}}
	default:
		return &turnpb.AwaitEnded{End: &turnpb.AwaitEnded_Failed{Failed: &turnpb.OrchestrationFailed{
			Failure: failure.Infrastructure("op", data, false)}}}
	}
}

// TestResidentAndRebuiltDecideAlike is the heart of the package's promise: a random program is run by a machine that
// stays, and again, at every turn, by one that was rebuilt from the segments. Both must decide the same, byte for
// byte; and the oracle must accept the history that is left.
func TestResidentAndRebuiltDecideAlike(t *testing.T) {
	outcomes := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		block := genBlock(t, 3, "p")
		if rapid.Bool().Draw(t, "long") {
			block = withWaits(block)
		}
		cfg := config(program(block))
		if rapid.IntRange(0, 9).Draw(t, "limited") == 0 {
			cfg.Limits = replay.Limits{Resumptions: 2, Pending: 6, Calls: 60, Carried: 3, PayloadBytes: rapid.SampledFrom([]int{0, 200, 400}).Draw(t, "payload")}
		}
		cfg.RejectOrphans = rapid.Bool().Draw(t, "reject orphans") // as hosts do that stop code
		start := msgStart()
		if rapid.IntRange(0, 3).Draw(t, "bounded") == 0 {
			start.GetStart().ExecutionTimeoutMs = 5_000
		}
		for execution := uint64(1); execution <= 3; execution++ {
			cfg.Execution = execution
			start, cfg.KV = execute(t, cfg, start, outcomes)
			if start == nil {
				return
			}
		}
	})
	t.Logf("outcomes: %v", outcomes)
}

// withWaits has a program wait between its statements, so that it lives for more turns.
func withWaits(block []stmt) (long []stmt) {
	for _, s := range block {
		long = append(long, s, stmt{op: "activity", name: s.name, n: s.n})
	}
	return long
}

// execute runs one execution and gives the start of the next one, if it continued as new, and the keys it left.
func execute(t *rapid.T, cfg replay.Config, start *turnpb.Message, outcomes map[string]int) (*turnpb.Message, map[string]replay.KVEntry) {
	kv := maps.Clone(cfg.KV)
	if kv == nil {
		kv = map[string]replay.KVEntry{}
	}
	resident := replay.New(cfg)
	defer resident.Close()
	var history []replay.Segment
	var w world
	var next *turnpb.StartOrchestration
	messages := []*turnpb.Message{start}
	if rapid.Bool().Draw(t, "early") {
		messages = append(messages, w.messages(t, cfg.Execution)...)
	}
	for turn := uint64(1); turn <= 20; turn++ {
		in := replay.Input{TimeMs: int64(rapid.IntRange(1_000, 100_000).Draw(t, "time")), Messages: messages}
		copy(in.Entropy[:], fmt.Sprint("entropy-", turn, "-", in.TimeMs))
		turnNow = turn
		if cfg.RejectOrphans && undoes(history) && rapid.IntRange(0, 9).Draw(t, "stop") == 0 {
			in.Stop = failure.Limit("the turn is too large")
			outcomes["stopped by the host"]++
		}
		d := resident.Advance(in)
		sameAsRebuilt(t, cfg, history, in, d, resident.Open())
		if len(d.Events)+len(d.Rejected) > 0 { // else the turn has deferred everything
			history = append(history, copyOf(d.Segment(turn, in, "test")))
		}
		w.apply(d)
		for _, c := range d.KV {
			switch c.Op {
			case replay.KVSet:
				kv[c.Key] = replay.KVEntry{Value: c.Value, UpdatedMs: c.UpdatedMs}
			case replay.KVClear:
				delete(kv, c.Key)
			case replay.KVClearAll:
				clear(kv)
			}
		}
		outcomes[fmt.Sprint("outcome ", d.Outcome)]++
		for _, e := range d.Events {
			if k := e.GetCompensationStarted(); k != nil {
				outcomes[k.GetCause().String()]++
			}
			if k := e.GetCompensationFailed(); k != nil {
				outcomes["failed step"]++
				if k.GetStop() != nil {
					outcomes["step over a limit"]++
				}
			}
		}
		if resident.Outcome() != nil && d.Outcome == replay.Failed {
			outcomes["cleaned up"]++
		}
		if turn == 5 {
			outcomes["turn 5"]++
		}
		if d.Outcome != replay.Running {
			next = d.Next
			if failure.IsNondeterminism(d.Failure) {
				outcomes["nondeterminism"]++
			}
			break
		}
		messages = w.messages(t, cfg.Execution)
	}
	if n := resident.Replayed(); n != 0 {
		t.Fatalf("a resident machine replayed %d events", n)
	}
	if err := replay.Verify(cfg, history); err != nil {
		t.Fatalf("the oracle: %v", err)
	}
	if next == nil {
		return nil, nil
	}
	return &turnpb.Message{Kind: &turnpb.Message_Start{Start: next}}, kv
}

// TestChangedCodeIsNoticedOrFits loads the history of one random program into a machine that runs another one. The
// turn must end in a decision of good form: nondeterminism that names an event, or one that fits.
func TestChangedCodeIsNoticedOrFits(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		old := config(program(genBlock(t, 2, "old")))
		m := replay.New(old)
		defer m.Close()
		var history []replay.Segment
		var w world
		messages := []*turnpb.Message{msgStart()}
		for turn := uint64(1); turn <= 5; turn++ {
			in := replay.Input{TimeMs: int64(turn) * 1_000, Messages: messages}
			d := m.Advance(in)
			if d.Outcome != replay.Running {
				break
			}
			history = append(history, copyOf(d.Segment(turn, in, "test")))
			w.apply(d)
			messages = w.messages(t, 1)
		}
		if len(history) == 0 {
			return
		}
		next := m.NextEvent()
		if last := history[len(history)-1].Events; len(last) > 0 {
			next = last[len(last)-1].GetId() + 1
		}
		changed := replay.New(config(program(genBlock(t, 2, "new"))))
		defer changed.Close()
		changed.Load(replay.Segments(history))
		d := changed.Advance(replay.Input{TimeMs: 9_000, Messages: messages})
		if d.Spoiled != nil {
			t.Fatal(d.Spoiled)
		}
		for i, e := range d.Events {
			if e.GetId() != next+uint64(i) && len(history[len(history)-1].Events) > 0 {
				t.Fatalf("event %d has id %d, want %d", i, e.GetId(), next+uint64(i))
			}
			if replay.Terminal(e) != (i+1 == len(d.Events) && d.Outcome != replay.Running) {
				t.Fatalf("event %d of %d is %s, outcome %d", i+1, len(d.Events), replay.KindName(e), d.Outcome)
			}
		}
		if failure.IsNondeterminism(d.Failure) {
			seen["nondeterminism"]++
			if text := failure.Display(d.Failure); !strings.Contains(text, "event ") {
				t.Fatalf("%q names no event", text)
			}
			return
		}
		seen[fmt.Sprint("outcome ", d.Outcome)]++
	})
	t.Logf("seen: %v", seen)
	if seen["nondeterminism"] == 0 {
		t.Error("no change of code was noticed")
	}
}

// copyOf is a segment as it comes back from storage.
func copyOf(s replay.Segment) replay.Segment {
	out := replay.Segment{Header: proto.Clone(s.Header).(*turnpb.SegmentHeader)}
	for _, e := range s.Events {
		out.Events = append(out.Events, proto.Clone(e).(*turnpb.Event))
	}
	return out
}

// undoes reports whether a history has undo steps.
func undoes(history []replay.Segment) bool {
	for _, s := range history {
		for _, e := range s.Events {
			if e.GetStarted().GetCleanup() || e.GetCompensationPushed() != nil {
				return true
			}
		}
	}
	return false
}

// reused is a history that gives each turn in the memory of the turn before.
type reused struct {
	replay.Segments
	last replay.Segment
}

// Turn implements replay.History.
func (r *reused) Turn(n int) replay.Segment {
	if r.last.Header != nil {
		proto.Reset(r.last.Header)
	}
	for _, e := range r.last.Events {
		switch k := e.GetKind().(type) {
		case *turnpb.Event_ActivityScheduled:
			proto.Reset(k.ActivityScheduled)
		case *turnpb.Event_ActivityCompleted:
			proto.Reset(k.ActivityCompleted)
		case *turnpb.Event_TimerCreated:
			proto.Reset(k.TimerCreated)
		case *turnpb.Event_TimerFired:
			proto.Reset(k.TimerFired)
		}
		proto.Reset(e)
	}
	r.last = copyOf(r.Segments[n])
	return r.last
}

func sameAsRebuilt(t failing, cfg replay.Config, history []replay.Segment, in replay.Input, want replay.Decision, open replay.OpenCounts) {
	t.Helper()
	loaded := make([]replay.Segment, 0, len(history))
	for _, s := range history {
		loaded = append(loaded, copyOf(s))
	}
	for way, load := range map[string]func(*replay.Machine){
		"from decoded turns": func(m *replay.Machine) { m.Load(replay.Segments(loaded)) },
		"from reused memory": func(m *replay.Machine) { m.Load(&reused{Segments: loaded}) },
		"after a query": func(m *replay.Machine) {
			m.Load(&reused{Segments: loaded})
			m.Replay()
			m.Query("nothing", nil)
		},
	} {
		m := replay.New(cfg)
		defer m.Close()
		load(m)
		got := m.Advance(in)
		if a, b := render(want), render(got); !bytes.Equal(a, b) {
			t.Fatalf("turn %d: resident decided\n%s\nrebuilt %s decided\n%s", len(history)+1, a, way, b)
		}
		if m.Open() != open && want.Outcome == replay.Running {
			t.Fatalf("turn %d: resident has open %+v, rebuilt %s %+v", len(history)+1, open, way, m.Open())
		}
	}
}

// render shows everything in a decision but call sites.
func render(d replay.Decision) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "outcome %d converted %d spoiled %v origin %v progress %v\n", d.Outcome, d.Converted, d.Spoiled, d.Origin, d.Progress)
	fmt.Fprintf(&b, "  panic %q\n", d.PanicStack)
	fmt.Fprintf(&b, "  deferred %v wanted %v\n", d.Deferred, d.Wanted)
	for _, e := range d.Events {
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
		fmt.Fprintf(&b, "  %d %s %d %q %v\n", e.GetId(), replay.KindName(e), e.GetSource(), raw, err)
	}
	for _, r := range d.Rejected {
		fmt.Fprintf(&b, "  rejected %d %d %x\n", r.GetKind(), r.GetSource(), r.GetHash())
	}
	for _, a := range d.Activities {
		fmt.Fprintf(&b, "  activity %d %s %s\n", a.Event, a.Name, a.Input)
	}
	fmt.Fprintf(&b, "  timers %+v\n  children %+v\n  detached %+v\n  cancelled %+v %+v %+v\n  closed %v\n  sends %+v\n  awaits %+v %+v\n",
		d.Timers, d.Children, d.Detached, d.CancelledActivities, d.CancelledTimers, d.CancelledChildren, d.ClosedChildren,
		d.Sends, d.Awaits, d.CancelledAwaits)
	if d.Status != nil {
		text := "cleared"
		if d.Status.Value != nil {
			text = *d.Status.Value
		}
		fmt.Fprintf(&b, "  status %s\n", text)
	}
	fmt.Fprintf(&b, "  kv %+v\n  output %q\n  failure %q\n", d.KV, d.Output, failure.Display(d.Failure))
	if d.Next != nil {
		raw, _ := proto.MarshalOptions{Deterministic: true}.Marshal(d.Next)
		fmt.Fprintf(&b, "  next %q\n", raw)
	}
	return b.Bytes()
}
