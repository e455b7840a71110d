// Command monitor runs a loop that has no end: it looks at something, sleeps, and continues as new, so that its history
// never grows. A client cancels it.
//
// It must not know more of Turnstone than an author does. Start reading at Monitor.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// State is what one round hands to the next.
type State struct {
	Round int
	Alarm bool
}

// Look is the work of one round. It finds something in the third.
var Look = turnstone.NewActivity("Look", func(_ turnstone.ActivityContext, round int) (bool, error) { return round == 3, nil })

// Report runs on its own: no orchestration waits for it.
var Report = turnstone.NewOrchestration("Report", func(_ *turnstone.Context, round int) (string, error) {
	return fmt.Sprintf("something was found in round %d", round), nil
})

// Monitor looks, reports once, sleeps, and begins again.
var Monitor = turnstone.NewOrchestration("Monitor", func(ctx *turnstone.Context, s State) (string, error) {
	s.Round++
	found, err := Look.Call(ctx, s.Round)
	if err != nil {
		return "", err
	}
	if found && !s.Alarm {
		Report.StartDetached(ctx, ctx.Instance()+"-report", s.Round)
		s.Alarm = true
	}
	ctx.Sleep(5 * time.Millisecond)
	return "", turnstone.ContinueAsNew(ctx, s)
})

func main() {
	dir := flag.String("store", "monitor.store", "the directory of the store")
	flag.Parse()
	out, err := run(context.Background(), *dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(out)
}

func run(ctx context.Context, dir string) (string, error) {
	registry := turnstone.NewRegistry()
	if err := registry.Register(Look, Report, Monitor); err != nil {
		return "", err
	}
	n, err := node.Open(ctx, node.Config{Dir: dir, Registry: registry})
	if err != nil {
		return "", err
	}
	defer n.Kill()
	monitor, err := client.Start(ctx, n.Client(), "monitor", Monitor, State{})
	if err != nil && !errors.Is(err, turnstone.ErrAlreadyExists) {
		return "", err
	}
	// The monitor starts this instance later.
	report, err := client.Attach[string](n.Client(), "monitor-report").Wait(ctx, client.WaitForStart())
	if err != nil {
		return "", err
	}
	if err := monitor.Cancel(ctx, "enough"); err != nil && !errors.Is(err, turnstone.ErrInstanceEnded) {
		return "", err
	}
	_, end := monitor.Wait(ctx)
	if !errors.Is(end, turnstone.ErrCancelled) {
		return "", fmt.Errorf("the monitor ended otherwise: %w", end)
	}
	executions, err := n.Client().Executions(ctx, "monitor")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s\nmonitor: %v, after at least 3 rounds: %v\n", report, end, len(executions) >= 3), n.Shutdown(ctx)
}
