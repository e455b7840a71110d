package turnstone_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/seam"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// What the tests reach as a node and a client do.
var (
	registries = seam.Take[seam.Registry[*turnstone.Registry, turnstone.ActivityInfo]]()
	author     = seam.Take[seam.Author[turnstone.Handler, turnstone.Codec, *turnstone.Failure]]()
)

// driver runs orchestrations of a registry on the replay core alone: activities run inline between two turns, timers
// fire in virtual time, events come from a script, children run in the same way. With cold set, every turn replays
// its history on a fresh machine.
type driver struct {
	registry *turnstone.Registry
	cold     bool
	// events are raised one at a time whenever nothing else can happen.
	events []raised
	// early are raised in the first turn.
	early []raised

	// silent activities never answer.
	silent map[string]bool

	nowMs    int64
	attempts map[string]int  // runs by activity name
	taken    map[string]bool // ids of children
	detached []replay.Detached
	children int
}

type raised struct {
	name string
	data any
}

type outcome struct {
	output     []byte
	failure    *turnstone.Failure
	executions int
	history    []*turnpb.Event
	sites      []*turnpb.CallSite
	stuck      bool
	spoiled    error
}

func newDriver(t testing.TB, handlers ...turnstone.Handler) *driver {
	r := turnstone.NewRegistry(turnstone.WithLogger(slog.New(slog.DiscardHandler)))
	if err := r.Register(handlers...); err != nil {
		if t == nil {
			panic(err)
		}
		t.Fatal(err)
	}
	return &driver{registry: r, nowMs: 1_700_000_000_000, attempts: map[string]int{}, taken: map[string]bool{}}
}

// turnsMax bounds a run, so that a broken core ends as a failed test.
const turnsMax = 2000

type execution struct {
	d        *driver
	cfg      replay.Config
	machine  *replay.Machine
	segments []replay.Segment
	timers   map[uint64]int64
	inbox    []*turnpb.Message
}

func (d *driver) run(name, instance string, input any) outcome {
	data := encoded(input)
	start := &turnpb.StartOrchestration{Name: name, Input: data}
	for n := uint64(1); ; n++ {
		out, next := d.execute(instance, n, start)
		if next == nil {
			out.executions = int(n)
			return out
		}
		start = next
	}
}

func (d *driver) execute(instance string, n uint64, start *turnpb.StartOrchestration) (outcome, *turnpb.StartOrchestration) {
	version, fn, ok := registries.Orchestration(d.registry, start.GetName(), start.GetVersion())
	if !ok {
		panic("no orchestration " + start.GetName())
	}
	e := &execution{d: d, timers: map[uint64]int64{}}
	e.cfg = replay.Config{Instance: instance, Execution: n, Name: start.GetName(), Version: version, Func: fn}
	e.inbox = []*turnpb.Message{{Kind: &turnpb.Message_Start{Start: start}}}
	for _, ev := range d.early {
		e.inbox = append(e.inbox, event(ev))
	}
	d.early = nil
	e.machine = replay.New(e.cfg)
	defer func() {
		e.machine.Close()
		e.verify()
	}()
	for range turnsMax {
		dec := e.turn()
		if dec.Spoiled != nil {
			return outcome{spoiled: dec.Spoiled}, nil
		}
		d.detached = append(d.detached, dec.Detached...)
		switch dec.Outcome {
		case replay.Completed:
			return outcome{output: dec.Output, history: e.events(), sites: e.sites()}, nil
		case replay.Failed:
			return outcome{failure: author.Failure(dec.Failure, d.registry.Codec()), history: e.events(), sites: e.sites()}, nil
		case replay.ContinuedAsNew:
			return outcome{}, dec.Next
		}
		e.perform(dec)
		if len(e.inbox) == 0 && !e.elapse() {
			return outcome{stuck: true, history: e.events(), sites: e.sites()}, nil
		}
	}
	panic("the orchestration does not end")
}

// verify asks the oracle: what the author's forms decide must be the same again. Nothing is logged by it.
func (e *execution) verify() {
	quiet := turnstone.NewRegistry(turnstone.WithCodec(e.d.registry.Codec()), turnstone.WithLogger(slog.New(slog.DiscardHandler)))
	if err := quiet.Merge(e.d.registry); err != nil {
		panic(err)
	}
	cfg := e.cfg
	_, cfg.Func, _ = registries.Orchestration(quiet, cfg.Name, cfg.Version)
	if err := replay.Verify(cfg, e.segments); err != nil && !errors.Is(err, replay.ErrMisuse) {
		panic(err)
	}
}

func (e *execution) turn() replay.Decision {
	if e.d.cold && len(e.segments) > 0 {
		e.machine.Close()
		e.machine = replay.New(e.cfg)
		e.machine.Load(replay.Segments(e.segments))
	}
	e.d.nowMs++
	entropy := [16]byte{byte(len(e.segments)), 7, 9}
	messages := e.inbox
	e.inbox = nil
	dec := e.machine.Advance(replay.Input{TimeMs: e.d.nowMs, Entropy: entropy, Messages: messages})
	if dec.Spoiled == nil {
		e.segments = append(e.segments, replay.Segment{Header: &turnpb.SegmentHeader{
			Turn: uint64(len(e.segments) + 1), TimeMs: e.d.nowMs, Entropy: entropy[:], Origin: dec.Origin,
			Converted: uint32(dec.Converted), Rejected: dec.Rejected, CallSites: dec.CallSites,
			Undecoded: dec.Undecoded,
		}, Events: dec.Events})
	}
	return dec
}

// sites are the call sites of all turns, each with its text.
func (e *execution) sites() (all []*turnpb.CallSite) {
	texts := map[uint32]string{}
	for _, s := range e.segments {
		for _, c := range s.Header.GetCallSites() {
			if c.GetText() != "" {
				texts[c.GetHash()] = c.GetText()
			}
			all = append(all, &turnpb.CallSite{Event: c.GetEvent(), Text: texts[c.GetHash()]})
		}
	}
	return all
}

func (e *execution) events() []*turnpb.Event {
	var all []*turnpb.Event
	for _, s := range e.segments {
		all = append(all, s.Events...)
	}
	return all
}

// perform carries out what a turn decided.
func (e *execution) perform(dec replay.Decision) {
	cancelled := map[uint64]bool{}
	for _, id := range dec.CancelledActivities {
		cancelled[id] = true
	}
	for _, a := range dec.Activities {
		if !cancelled[a.Event] && !e.d.silent[a.Name] {
			e.inbox = append(e.inbox, e.activity(a))
		}
	}
	for _, t := range dec.Timers {
		e.timers[t.Event] = t.FireAtMs
	}
	for _, t := range dec.CancelledTimers {
		delete(e.timers, t.Event)
	}
	for _, c := range dec.Children {
		e.inbox = append(e.inbox, e.child(c))
	}
}

func (e *execution) activity(a replay.Activity) *turnpb.Message {
	run, ok := registries.Activity(e.d.registry, a.Name)
	if !ok {
		panic("no activity " + a.Name)
	}
	e.d.attempts[a.Name]++
	m := &turnpb.Message{Execution: e.cfg.Execution, Event: a.Event}
	out, err := run(context.Background(), turnstone.ActivityInfo{
		Instance: e.cfg.Instance, Incarnation: 1, Execution: e.cfg.Execution, Event: a.Event, FirstEvent: cmp.Or(a.First, a.Event),
		Orchestration: e.cfg.Name, Version: e.cfg.Version, Name: a.Name, Attempt: max(a.Attempt, 1), Delivery: 1, Worker: "w",
	}, nil, a.Input)
	if err != nil {
		f := failure.FromError(turnpb.ApplicationKind_APPLICATION_KIND_ACTIVITY_FAILED, err)
		m.Kind = &turnpb.Message_ActivityFailure{ActivityFailure: &turnpb.ActivityFailure{Failure: f}}
		return m
	}
	m.Kind = &turnpb.Message_ActivityResult{ActivityResult: &turnpb.ActivityResult{Result: out}}
	return m
}

func (e *execution) child(c replay.Child) *turnpb.Message {
	m := &turnpb.Message{Execution: e.cfg.Execution, Event: c.Event}
	if e.d.taken[e.cfg.Instance+"/"+c.Instance] {
		f := failure.Application(turnpb.ApplicationKind_APPLICATION_KIND_ALREADY_EXISTS, "an instance with this id already exists")
		m.Kind = &turnpb.Message_ChildFailure{ChildFailure: &turnpb.ChildFailure{Failure: f}}
		return m
	}
	e.d.taken[e.cfg.Instance+"/"+c.Instance] = true
	e.d.children++
	sub := *e.d
	sub.attempts = e.d.attempts
	out := outcome{}
	start := &turnpb.StartOrchestration{Name: c.Name, Version: c.Version, Input: c.Input,
		Parent: &turnpb.Parent{Instance: e.cfg.Instance, Execution: e.cfg.Execution, Event: c.Event}}
	for n := uint64(1); start != nil; n++ {
		out, start = sub.execute(c.Instance, n, start)
	}
	e.d.nowMs, e.d.children = sub.nowMs, sub.children
	if out.failure != nil {
		last := out.history[len(out.history)-1].GetFailed().GetFailure()
		m.Kind = &turnpb.Message_ChildFailure{ChildFailure: &turnpb.ChildFailure{Failure: last}}
		return m
	}
	m.Kind = &turnpb.Message_ChildResult{ChildResult: &turnpb.ChildResult{Result: out.output}}
	return m
}

// elapse lets the next thing happen: an event of the script, or the earliest timer.
func (e *execution) elapse() bool {
	if len(e.d.events) > 0 {
		e.inbox = append(e.inbox, event(e.d.events[0]))
		e.d.events = e.d.events[1:]
		return true
	}
	var first uint64
	for id, at := range e.timers {
		if first == 0 || at < e.timers[first] || at == e.timers[first] && id < first {
			first = id
		}
	}
	if first == 0 {
		return false
	}
	at := e.timers[first]
	delete(e.timers, first)
	e.d.nowMs = max(e.d.nowMs, at)
	e.inbox = append(e.inbox, &turnpb.Message{Execution: e.cfg.Execution, Event: first,
		Kind: &turnpb.Message_TimerElapsed{TimerElapsed: &turnpb.TimerElapsed{FireAtMs: at}}})
	return true
}

func event(r raised) *turnpb.Message {
	return &turnpb.Message{Kind: &turnpb.Message_EventRaised{
		EventRaised: &turnpb.EventRaised{Name: r.name, Data: encoded(r.data)},
	}}
}

func encoded(v any) []byte {
	if raw, ok := v.(turnstone.Raw); ok {
		return raw
	}
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// both runs a case with a resident machine and with one that replays before every turn.
func both(t *testing.T, run func(t *testing.T, cold bool)) {
	t.Helper()
	for _, cold := range []bool{false, true} {
		t.Run(fmt.Sprintf("cold=%v", cold), func(t *testing.T) { run(t, cold) })
	}
}

// completes asserts the output of a run.
func (o outcome) completes(t *testing.T, want any) {
	t.Helper()
	if o.spoiled != nil || o.stuck || o.failure != nil {
		t.Fatalf("it did not complete: failure %v, stuck %v, spoiled %v", o.failure, o.stuck, o.spoiled)
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(o.output) != string(data) {
		t.Fatalf("output %s, want %s", o.output, data)
	}
}

// fails asserts the text of a failure.
func (o outcome) fails(t *testing.T, text string) *turnstone.Failure {
	t.Helper()
	if o.failure == nil {
		t.Fatalf("it did not fail: output %s, stuck %v, spoiled %v", o.output, o.stuck, o.spoiled)
	}
	if o.failure.Error() != text {
		t.Fatalf("failure %q, want %q", o.failure, text)
	}
	return o.failure
}

// count is how many events of a history are of a kind.
func count(history []*turnpb.Event, is func(*turnpb.Event) bool) int {
	n := 0
	for _, e := range history {
		if is(e) {
			n++
		}
	}
	return n
}
