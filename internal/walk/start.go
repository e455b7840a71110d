package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime/coverage"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// counted is how many pairs of starts are counted: those that went as [theGoodCase], of at most triedMax. A pair, since
// what the first one leaves to be done after its answer is done while the second one runs. One start comes before them:
// what a node does once is done by it.
const (
	counted  = 9
	triedMax = 1000
)

// theGoodCase is all that a node counts in two starts which nothing delays and nothing joins. On a busy machine a start
// may go another way: its message is made durable before its turn, since that does not come within 10 ms, or its instance
// has not left memory yet when the client has the answer.
var theGoodCase = node.Metrics{Turns: 4, Commits: 4, Passivations: 2, Commands: 4, Batches: 4, Syncs: 4}

var greet = turnstone.NewActivity("Greet", func(ctx turnstone.ActivityContext, name string) (string, error) {
	return "Hello, " + name + "!", nil
})

var welcome = turnstone.NewOrchestration("Welcome", func(ctx *turnstone.Context, name string) (string, error) {
	return greet.Call(ctx, name)
})

// starts runs the starts on a node of their own, one after the other, and writes what each pair has hit into a directory
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
	if err := start(ctx, n, "before-they-count"); err != nil {
		return err
	}
	if err := count(ctx, n, dir); err != nil {
		return err
	}
	return n.Shutdown(ctx)
}

// count writes the counters of the pairs that count.
func count(ctx context.Context, n *node.Node, dir string) error {
	good := 0
	var did node.Metrics
	for tried := range triedMax {
		before := n.Metrics()
		if err := pair(ctx, n, tried, countersOf(dir, good)); err != nil {
			return err
		}
		// Asked when the counters are written, or they would count the asking.
		did = since(before, n.Metrics())
		if did == theGoodCase {
			good++
		}
		if good == counted {
			return nil
		}
	}
	return fmt.Errorf("of %d pairs of starts %d were the good case, which is %+v; the last did %+v", triedMax, good, theGoodCase, did)
}

// pair writes the counters of two starts into a directory, in place of those that are there.
func pair(ctx context.Context, n *node.Node, number int, counters string) error {
	if err := os.RemoveAll(counters); err != nil {
		return err
	}
	if err := os.Mkdir(counters, 0o755); err != nil {
		return err
	}
	if err := coverage.ClearCounters(); err != nil {
		return err
	}
	for _, which := range []string{"first", "second"} {
		if err := start(ctx, n, fmt.Sprintf("%s-of-pair-%d", which, number)); err != nil {
			return err
		}
	}
	if err := coverage.WriteMetaDir(counters); err != nil {
		return err
	}
	return coverage.WriteCountersDir(counters)
}

// since is what was counted in between.
func since(before, after node.Metrics) node.Metrics {
	from, to := reflect.ValueOf(before), reflect.ValueOf(&after).Elem()
	for i := range to.NumField() {
		to.Field(i).SetUint(to.Field(i).Uint() - from.Field(i).Uint())
	}
	return after
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

// countersOf names the directory for the counters of one pair.
func countersOf(dir string, pair int) string {
	return filepath.Join(dir, fmt.Sprintf("counters-%d", pair))
}
