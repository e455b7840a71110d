package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/coverage"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// counted is how many starts are counted. One more comes before them: what a node does once is done by it.
const counted = 9

var greet = turnstone.NewActivity("Greet", func(ctx turnstone.ActivityContext, name string) (string, error) {
	return "Hello, " + name + "!", nil
})

var welcome = turnstone.NewOrchestration("Welcome", func(ctx *turnstone.Context, name string) (string, error) {
	return greet.Call(ctx, name)
})

// starts runs the starts on a node of their own, one after the other, and writes what each has hit into a directory
// below dir.
func starts(ctx context.Context, dir string) error {
	registry := turnstone.NewRegistry()
	if err := registry.Register(greet, welcome); err != nil {
		return err
	}
	n, err := node.Open(ctx, node.Config{Dir: filepath.Join(dir, "store"), Registry: registry})
	if err != nil {
		return err
	}
	defer n.Kill() // does nothing after the shutdown below
	if err := start(ctx, n, "first"); err != nil {
		return err
	}
	for i := range counted {
		if err := coverage.ClearCounters(); err != nil {
			return err
		}
		if err := start(ctx, n, fmt.Sprintf("counted-%d", i)); err != nil {
			return err
		}
		if err := writeCounters(countersOf(dir, i)); err != nil {
			return err
		}
	}
	return n.Shutdown(ctx)
}

// start is what is counted.
func start(ctx context.Context, n *node.Node, id string) error {
	run, err := client.Start(ctx, n.Client(), id, welcome, "Ada")
	if err != nil {
		return err
	}
	_, err = run.Wait(ctx)
	return err
}

// countersOf names the directory for the counters of one start.
func countersOf(dir string, start int) string {
	return filepath.Join(dir, fmt.Sprintf("counters-%d", start))
}

func writeCounters(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := coverage.WriteMetaDir(dir); err != nil {
		return err
	}
	return coverage.WriteCountersDir(dir)
}
