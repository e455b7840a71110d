// Turnstone adapter: the engine in this process, on a real directory.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
	"peers/harness"
)

var hello = turnstone.NewActivity("hello", func(_ turnstone.ActivityContext, s string) (string, error) {
	return "hello " + s, nil
})

var one = turnstone.NewOrchestration(harness.Hello, func(ctx *turnstone.Context, _ int) (string, error) {
	return hello.Call(ctx, "w")
})

var seq = turnstone.NewOrchestration(harness.Seq, func(ctx *turnstone.Context, n int) (out string, err error) {
	for range n {
		if out, err = hello.Call(ctx, "w"); err != nil {
			return "", err
		}
	}
	return out, nil
})

var fan = turnstone.NewOrchestration(harness.Fan, func(ctx *turnstone.Context, n int) (string, error) {
	all := make([]*turnstone.Future[string], n)
	for i := range all {
		all[i] = hello.Start(ctx, "w")
	}
	_, err := turnstone.Results(ctx, all...)
	return "ok", err
})

var wait = turnstone.NewOrchestration(harness.Wait, func(ctx *turnstone.Context, _ int) (string, error) {
	harness.MarkParked(ctx.Instance())
	return turnstone.WaitEvent[string](ctx, "go").Await()
})

type engine struct {
	node   *node.Node
	client *client.Client
}

func (e engine) Start(ctx context.Context, workflow, id string, n int) (any, error) {
	byName := map[string]*turnstone.Orchestration[int, string]{
		harness.Hello: one, harness.Seq: seq, harness.Fan: fan, harness.Wait: wait,
	}
	o, ok := byName[workflow]
	if !ok {
		return nil, fmt.Errorf("unknown workflow %q", workflow)
	}
	return client.Start(ctx, e.client, id, o, n)
}

func (e engine) Wait(ctx context.Context, h any) error {
	_, err := h.(*client.Run[string]).Wait(ctx)
	return err
}

func (e engine) Raise(ctx context.Context, h any) error {
	return h.(*client.Run[string]).Raise(ctx, "go", "now")
}

func (e engine) Done(ctx context.Context, h any) (bool, error) {
	s, err := h.(*client.Run[string]).Status(ctx)
	return s.State == client.StateCompleted, err
}

func (e engine) Close() { e.node.Kill() }

func main() {
	harness.Main("turnstone", func(_, dir string) (harness.Engine, error) {
		registry := turnstone.NewRegistry()
		if err := registry.Register(hello, one, seq, fan, wait); err != nil {
			return nil, err
		}
		n, err := node.Open(context.Background(), node.Config{
			Dir: dir, Registry: registry, TurnSlots: 8, ActivitySlots: 64,
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		if err != nil {
			return nil, err
		}
		return engine{node: n, client: n.Client()}, nil
	})
}
