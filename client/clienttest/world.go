package clienttest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/localport"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/persistencetest"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// inboxMax is how many messages may wait for an instance of a world.
const inboxMax = 2

// world is a journal in memory, and an engine that only writes starts and deliveries into it: turns are committed by
// the test.
type world struct {
	t       *testing.T
	journal *persistencetest.Memory
	port    api.Port // under test
	c       *client.Client
	nowMs   int64

	mu       sync.Mutex
	changed  *sync.Cond // that a request is held, or an instance watched
	watchers map[string][]func(persistence.EndEffect)
	aside    map[string]error       // what is damaged of an instance
	damages  map[string]func(error) // who waits last for an instance
	open     map[string]bool        // what the engine says to those who watch
	started  int
	delivers []*turnpb.Message
	hold     bool // requests are not answered
	holding  int  // how many
	busy     bool // starts are refused

	asks   []api.QueryRequest
	answer func() ([]byte, *turnpb.Failure, error) // of every query
}

// world makes a world whose client asks through the port under test.
func (s suite) world(t *testing.T, partitions int, o localport.Options) *world {
	w := &world{
		t: t, journal: persistencetest.OpenMemory(persistencetest.NewDisk(partitions), persistencetest.Faults{}),
		nowMs: 1_700_000_000_000, watchers: map[string][]func(persistence.EndEffect){},
		aside: map[string]error{}, damages: map[string]func(error){},
	}
	w.changed = sync.NewCond(&w.mu)
	for p := range partitions {
		w.journal.Attach(persistence.Partition(p), w.released)
		w.propose(persistence.Partition(p), persistence.BeginEpoch{Epoch: 1, Node: "n", Process: "p"})
	}
	w.port = s.through(t, localport.New(w, w.journal, o))
	w.c = client.New(w.port, nil)
	return w
}

func (w *world) propose(p persistence.Partition, c persistence.Command) persistence.Result {
	w.t.Helper()
	w.nowMs++
	var result persistence.Result
	w.journal.Propose(p, persistence.Proposal{TimeMs: w.nowMs, Epoch: 1, Command: c, Done: func(r persistence.Result) { result = r }})
	w.journal.Settle()
	return result
}

// StartInstance implements localport.Engine.
func (w *world) StartInstance(r api.StartRequest, reply func(api.Started, error)) {
	w.started++
	if w.held() {
		return
	}
	if w.busy {
		reply(api.Started{}, fmt.Errorf("%w: too much to do", persistence.ErrBusy))
		return
	}
	result := w.propose(w.journal.PartitionOf(r.ID), &persistence.StartInstance{
		ID: r.ID, Name: r.Name, Version: r.Version, Input: r.Input, Request: persistence.Request{Key: r.RequestKey},
	})
	reply(api.Started{Repeated: result.Repeated, NoHandler: r.Name != "O"}, result.Err)
}

// held counts a request that is not answered.
func (w *world) held() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hold {
		w.holding++
		w.changed.Broadcast()
	}
	return w.hold
}

// asked waits until so many requests are held.
func (w *world) asked(n int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.holding < n {
		w.changed.Wait()
	}
}

// Deliver implements localport.Engine.
func (w *world) Deliver(id string, m *turnpb.Message, requestKey string, reply func(error)) {
	if w.held() {
		return
	}
	w.delivers = append(w.delivers, m)
	data, err := proto.Marshal(m)
	if err != nil {
		w.t.Fatal(err)
	}
	reply(w.propose(w.journal.PartitionOf(id), &persistence.Enqueue{ID: id, Message: data, Request: persistence.Request{Key: requestKey}, InboxMax: inboxMax}).Err)
}

// Terminate implements localport.Engine: it commits a last turn, as the engine does.
func (w *world) Terminate(t api.TerminateRequest, reply func(error)) {
	if w.held() {
		return
	}
	head, ok := w.head(t.ID)
	if !ok {
		reply(persistence.ErrNotFound)
		return
	}
	next := max(head.NextEvent, 1)
	last := &turnpb.Event{Id: next, Kind: &turnpb.Event_Failed{Failed: &turnpb.OrchestrationFailed{Failure: failure.Terminated(t.Reason)}}}
	reply(w.propose(w.journal.PartitionOf(t.ID), &persistence.Terminate{
		ID: t.ID, IID: head.IID, Execution: head.Execution, Turn: head.Turn, Segment: w.segment(head, next, last),
		Name: head.Name, Version: "1.0.0", Pin: "0.1.0", Request: persistence.Request{
			Key: t.RequestKey, Kind: persistence.RequestTerminate,
			Digest: persistence.DigestRequest(persistence.RequestTerminate, "", "", []byte(t.Reason)),
		},
	}).Err)
}

// Release implements localport.Engine.
func (w *world) Release(id string, reply func(error)) {
	if w.held() {
		return
	}
	reply(w.propose(w.journal.PartitionOf(id), &persistence.ReleaseTurn{ID: id}).Err)
}

// Query implements localport.Engine.
func (w *world) Query(r api.QueryRequest, reply func([]byte, *turnpb.Failure, error)) {
	if w.held() {
		return
	}
	w.asks = append(w.asks, r)
	reply(w.answer())
}

// Runs implements localport.Engine: the handler of O is registered.
func (w *world) Runs(name, _ string) bool { return name == "O" }

// WatchEnd implements localport.Engine.
func (w *world) WatchEnd(id string, ended func(persistence.EndEffect), damaged func(error)) (cancel func(), sure bool) {
	w.mu.Lock()
	aside := w.aside[id]
	w.damages[id] = damaged
	w.mu.Unlock()
	if aside != nil {
		damaged(aside)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watchers[id] = append(w.watchers[id], ended)
	w.changed.Broadcast()
	i := len(w.watchers[id]) - 1
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if i < len(w.watchers[id]) {
			w.watchers[id][i] = func(persistence.EndEffect) {}
		}
	}, w.open[id]
}

// released tells all who watch the instances that have ended.
func (w *world) released(e *persistence.Effects) {
	for _, end := range e.Ended {
		w.mu.Lock()
		all := w.watchers[end.ID]
		w.watchers[end.ID] = nil
		w.mu.Unlock()
		for _, f := range all {
			f(end)
		}
	}
}

// watched waits until an instance is watched.
func (w *world) watched(id string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.watchers[id]) == 0 {
		w.changed.Wait()
	}
}

// turn commits the next turn of an instance.
func (w *world) turn(id string, outcome persistence.TurnOutcome, events ...*turnpb.Event) {
	w.t.Helper()
	w.turnWith(id, outcome, func(*persistence.CommitTurn) {}, events...)
}

// turnWith is turn with a change of the commit.
func (w *world) turnWith(id string, outcome persistence.TurnOutcome, change func(*persistence.CommitTurn), events ...*turnpb.Event) {
	w.t.Helper()
	head, ok := w.head(id)
	if !ok {
		w.t.Fatalf("there is no %s", id)
	}
	first := max(head.NextEvent, 1)
	for i, e := range events {
		e.Id = first + uint64(i)
	}
	c := &persistence.CommitTurn{
		ID: id, IID: head.IID, Execution: head.Execution, Turn: head.Turn, ConsumesStart: head.Turn == 0, Outcome: outcome,
		Segment: w.segment(head, first, events...),
		Name:    head.Name, Version: "1.0.0", Pin: "0.1.0",
	}
	if outcome == persistence.OutcomeContinued {
		c.Next = &persistence.NextStart{Name: head.Name, Start: []byte{}}
	}
	change(c)
	if r := w.propose(w.journal.PartitionOf(id), c); r.Err != nil {
		w.t.Fatalf("commit a turn of %s: %v", id, r.Err)
	}
}

// head reads the head of an instance.
func (w *world) head(id string) (head persistence.Head, ok bool) {
	w.t.Helper()
	w.journal.View(w.journal.PartitionOf(id), func(r persistence.Reader) error {
		iid, found, err := r.Resolve(id)
		if err != nil || !found {
			return err
		}
		head, ok, err = r.Head(iid)
		return err
	}, func(err error) {
		if err != nil {
			w.t.Fatal(err)
		}
	})
	return head, ok
}

// segment is what the next turn of an instance records.
func (w *world) segment(head persistence.Head, first uint64, events ...*turnpb.Event) persistence.SegmentDraft {
	w.t.Helper()
	header, err := proto.Marshal(&turnpb.SegmentHeader{Turn: head.Turn + 1, TimeMs: w.nowMs, Entropy: make([]byte, 16)})
	if err != nil {
		w.t.Fatal(err)
	}
	list, err := proto.Marshal(&turnpb.EventList{Events: events})
	if err != nil {
		w.t.Fatal(err)
	}
	return persistence.SegmentDraft{Header: header, Parts: []persistence.SegmentPart{
		{FirstEvent: first, Count: uint64(len(events)), Events: list},
	}}
}

func started() *turnpb.Event {
	return &turnpb.Event{Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{Name: "O", Version: "1.0.0"}}}
}

func completed(output string) *turnpb.Event {
	return &turnpb.Event{Kind: &turnpb.Event_Completed{Completed: &turnpb.OrchestrationCompleted{Output: []byte(output)}}}
}

func failed(message string) *turnpb.Event {
	f := failure.Application(turnpb.ApplicationKind_APPLICATION_KIND_ORCHESTRATION_FAILED, message)
	return &turnpb.Event{Kind: &turnpb.Event_Failed{Failed: &turnpb.OrchestrationFailed{Failure: f}}}
}

func continued() *turnpb.Event {
	return &turnpb.Event{Kind: &turnpb.Event_ContinuedAsNew{ContinuedAsNew: &turnpb.OrchestrationContinuedAsNew{}}}
}

func (w *world) start(id string) {
	w.t.Helper()
	if _, err := w.c.Start(context.Background(), id, "O", nil); err != nil {
		w.t.Fatal(err)
	}
}
