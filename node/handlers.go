package node

import (
	"context"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/actors"
	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/internal/localport"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// handlers adapts a registry to the engine.
type handlers struct {
	registry *turnstone.Registry
	engines  engines
}

var _ consumer.Handlers = handlers{}

func (h handlers) Orchestration(name, version string) (resolved string, fn replay.Func, ok bool) {
	return registries.Orchestration(h.registry, name, version)
}

func (h handlers) Activity(name string) (consumer.ActivityFunc, bool) {
	run, ok := registries.Activity(h.registry, name)
	if !ok {
		return nil, false
	}
	return func(ctx context.Context, info consumer.ActivityInfo, heart consumer.Heart, input []byte) ([]byte, error) {
		return run(ctx, turnstone.ActivityInfo(info), heart, input)
	}, true
}

func (h handlers) Replays(pin string) bool { return h.engines.replays(pin) }

// requests adapts the engine to the port of this process.
type requests struct{ engine *actors.Engine }

var _ localport.Engine = requests{}

func (r requests) StartInstance(q api.StartRequest, reply func(api.Started, error)) {
	r.engine.StartInstance(arrival.StartRequest(q), func(a arrival.StartReply) {
		if a.Err != nil {
			reply(api.Started{}, a.Err)
			return
		}
		reply(api.Started{Repeated: a.Repeated, NoHandler: !a.Runs && !r.engine.Runs(q.Name, q.Version)}, nil)
	})
}

func (r requests) Deliver(id string, m *turnpb.Message, requestKey string, reply func(error)) {
	r.engine.Deliver(arrival.Delivery{ID: id, Message: m, RequestKey: requestKey}, reply)
}

func (r requests) Terminate(q api.TerminateRequest, reply func(error)) {
	r.engine.Terminate(instance.Termination(q), reply)
}

func (r requests) Query(q api.QueryRequest, reply func([]byte, *turnpb.Failure, error)) {
	r.engine.Query(arrival.QueryRequest(q), func(a arrival.QueryReply) { reply(a.Output, a.Failure, a.Err) })
}

func (r requests) Release(id string, reply func(error)) { r.engine.Release(id, reply) }

func (r requests) Runs(name, version string) bool { return r.engine.Runs(name, version) }

func (r requests) WatchEnd(id string, ended func(persistence.EndEffect), damaged func(error)) (cancel func(), sure bool) {
	return r.engine.WatchEnd(id, ended, damaged)
}
