package e2e

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/actors"
	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/internal/ids"
	"github.com/turnstone-dev/turnstone/internal/localport"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/pebble"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// busyOnce is a journal that is busy at the first commit that records an activity's result.
type busyOnce struct {
	persistence.Journal
	refused atomic.Int32
}

func (j *busyOnce) Propose(p persistence.Partition, proposal persistence.Proposal) {
	result := false
	switch c := proposal.Command.(type) {
	case *persistence.CompleteWork:
		result = true
	case *persistence.CommitTurn:
		result = len(c.AcceptedResults) > 0
	}
	if result && j.refused.CompareAndSwap(0, 1) {
		proposal.Done(persistence.Result{Err: persistence.ErrBusy})
		return
	}
	j.Journal.Propose(p, proposal)
}

// registered shows a registry to an engine, as a node does.
type registered struct{ registry *turnstone.Registry }

func (r registered) Orchestration(name, version string) (resolved string, fn replay.Func, ok bool) {
	return registries.Orchestration(r.registry, name, version)
}

func (r registered) Activity(name string) (consumer.ActivityFunc, bool) {
	run, ok := registries.Activity(r.registry, name)
	return func(ctx context.Context, info consumer.ActivityInfo, heart consumer.Heart, input []byte) ([]byte, error) {
		return run(ctx, turnstone.ActivityInfo(info), heart, input)
	}, ok
}

func (r registered) Replays(string) bool { return true }

// engine shows an engine to a client, as a node does.
type engine struct{ *actors.Engine }

func (e engine) StartInstance(r api.StartRequest, reply func(api.Started, error)) {
	e.Engine.StartInstance(arrival.StartRequest(r), func(a arrival.StartReply) { reply(api.Started{Repeated: a.Repeated}, a.Err) })
}

func (e engine) Deliver(id string, m *turnpb.Message, key string, reply func(error)) {
	e.Engine.Deliver(arrival.Delivery{ID: id, Message: m, RequestKey: key}, reply)
}

func (e engine) Terminate(t api.TerminateRequest, reply func(error)) {
	e.Engine.Terminate(instance.Termination(t), reply)
}

func (e engine) Query(q api.QueryRequest, reply func([]byte, *turnpb.Failure, error)) {
	e.Engine.Query(arrival.QueryRequest(q), func(a arrival.QueryReply) { reply(a.Output, a.Failure, a.Err) })
}

// A result that the journal could not take is not lost: it is offered again, or the activity runs again.
func TestResultRefusedOnce(t *testing.T) {
	t.Run("REL_014 an answer that the store refuses once is tried again", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		store, err := pebble.Open(pebble.Options{Dir: t.TempDir() + "/store", Partitions: 2})
		if err != nil {
			t.Fatal(err)
		}
		journal, quiet := &busyOnce{Journal: store}, slog.New(slog.DiscardHandler)
		runs := newTally()
		counted := turnstone.NewActivity("Counted", func(_ actx, s string) (string, error) { runs.add(s); return s, nil })
		o := text("O", func(ctx octx, in string) (string, error) { return counted.Call(ctx, in) })
		registry := turnstone.NewRegistry(turnstone.WithLogger(quiet))
		if err := registry.Register(counted, o); err != nil {
			t.Fatal(err)
		}
		ready := make(chan error, 1)
		e := actors.Start(actors.Config{Journal: journal, Node: "n", Process: ids.Hex(ids.Real), Logger: quiet, WorkLease: 30 * time.Second},
			func(err error) { ready <- err })
		if err := <-ready; err != nil {
			t.Fatal(err)
		}
		consumer := consumer.Consumer{ID: "c", Handlers: registered{registry}, TurnSlots: 2, ActivitySlots: 2, EngineVersion: "0.1.0"}
		if _, err := e.Attach(consumer); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		run, err := client.Start(ctx, client.New(localport.New(engine{e}, store, localport.Options{}), nil), "i", o, "x")
		if err != nil {
			t.Fatal(err)
		}
		if out, err := run.Wait(ctx); err != nil || out != "x" {
			t.Errorf("it gave %q, %v", out, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if runs.of("x") < 1 || journal.refused.Load() != 1 {
			t.Errorf("%d runs, %d refusals", runs.of("x"), journal.refused.Load())
		}
		stopped := make(chan error, 1)
		e.Stop(func(err error) { stopped <- err })
		if err := errors.Join(<-stopped, store.Close()); err != nil {
			t.Error(err)
		}
	})
}
