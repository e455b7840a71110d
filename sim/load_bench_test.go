package sim_test

import (
	"errors"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/pebble"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// The history that is loaded: started, and then so many activities, one after the other. Each has two events, and each turn
// has the result of one and the schedule event of the next one.
const (
	loadedSteps  = 25_000
	loadedEvents = 2 * loadedSteps
	inFlight     = 500 // turns that are being committed
)

func steps(c *replay.Context, _ []byte) ([]byte, error) {
	for range loadedSteps {
		if _, err := c.Activity("step", []byte(`{"number":1}`), replay.ActivityOptions{}).Await(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func machine() *replay.Machine {
	return replay.New(replay.Config{Instance: "long", Execution: 1, Name: "steps", Version: "1.0.0", Func: steps, Unlocked: true})
}

// BenchmarkLoadAndReplay reads an instance with a history of 50,000 events from a store on disk and replays it, as the first
// turn after a passivation does.
func BenchmarkLoadAndReplay(b *testing.B) {
	store, last := storeWithHistory(b)
	p := store.PartitionOf("long")
	b.ReportAllocs()
	for b.Loop() {
		load := &view.Load{Whole: true, Source: &view.Source{Memory: plenty{}}}
		read := make(chan error, 1)
		store.Load(p, func(r persistence.Reader) error { return load.Read(r, "long") }, func(err error) { read <- err })
		if err := errors.Join(<-read, load.View.Unreadable); err != nil {
			b.Fatal(err)
		}
		m := machine()
		m.Load(load.View.History)
		if d := m.Advance(last); d.Outcome != replay.Completed || m.Replayed() != loadedEvents {
			b.Fatalf("outcome %d after %d events", d.Outcome, m.Replayed())
		}
		m.Close()
	}
	b.ReportMetric(float64(b.N*loadedEvents)/b.Elapsed().Seconds(), "events/s")
}

// plenty is a memory budget without an end.
type plenty struct{}

func (plenty) Take(int64) bool { return true }
func (plenty) Back(int64)      {}

// storeWithHistory makes a store with the instance, and returns what its last turn is given.
func storeWithHistory(b *testing.B) (*pebble.Store, replay.Input) {
	store, err := pebble.Open(pebble.Options{Dir: b.TempDir() + "/store"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	})
	p := store.PartitionOf("long")
	store.Attach(p, func(*persistence.Effects) {})
	var iid persistence.Incarnation
	var running sync.WaitGroup
	done := func(r persistence.Result) {
		if r.IID != 0 {
			iid = r.IID
		}
		running.Done()
	}
	running.Add(1)
	propose(b, store, p, persistence.BeginEpoch{Epoch: 1, Node: "n", Process: "p"}, done)
	running.Wait()
	m := machine()
	defer m.Close()
	in := replay.Input{TimeMs: 1_000, Messages: []*turnpb.Message{{Kind: &turnpb.Message_Start{
		Start: &turnpb.StartOrchestration{Name: "steps", Input: []byte("{}")}}}}}
	for turn := range uint64(loadedSteps) {
		d := m.Advance(in)
		c := &persistence.CommitTurn{
			ID: "long", IID: iid, Execution: 1, Turn: turn, Outcome: persistence.OutcomeRunning,
			Name: "steps", Version: "1.0.0", Segment: draft(b, d.Header(turn+1, in, "1.0.0"), d.Events),
		}
		if turn == 0 {
			c.AcceptedStart = &persistence.StartInstance{ID: "long", Name: "steps"}
		}
		running.Add(1)
		propose(b, store, p, c, done)
		if turn%inFlight == 0 {
			running.Wait()
		}
		in = replay.Input{TimeMs: int64(turn) + 1_001, Messages: []*turnpb.Message{{
			Execution: 1, Event: d.Activities[0].Event,
			Kind: &turnpb.Message_ActivityResult{ActivityResult: &turnpb.ActivityResult{Result: []byte(`{"ok":true}`)}},
		}}}
	}
	running.Wait()
	return store, in
}

// propose proposes a command; done is called with its result.
func propose(b *testing.B, s *pebble.Store, p persistence.Partition, c persistence.Command, done func(persistence.Result)) {
	s.Propose(p, persistence.Proposal{TimeMs: 1, Epoch: 1, Command: c, Done: func(r persistence.Result) {
		if r.Err != nil {
			b.Error(r.Err)
		}
		done(r)
	}})
}

func draft(b *testing.B, header *turnpb.SegmentHeader, events []*turnpb.Event) persistence.SegmentDraft {
	h, err := proto.Marshal(header)
	if err != nil {
		b.Fatal(err)
	}
	list, err := proto.Marshal(&turnpb.EventList{Events: events})
	if err != nil {
		b.Fatal(err)
	}
	return persistence.SegmentDraft{Header: h, Parts: []persistence.SegmentPart{
		{FirstEvent: events[0].GetId(), Count: uint64(len(events)), Events: list},
	}}
}
