// Command held is the program that held_test.go kills: its orchestrations wait for an event, and its second code asks for
// an activity before. With --raise it raises the events and says when all instances are held; then, and without a flag
// once they wait, it does nothing more until it is killed. With --wait it waits for their results.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

const orders = 10

var check = turnstone.NewActivity("Check", func(_ turnstone.ActivityContext, n int) (bool, error) { return true, nil })

var ship = turnstone.NewActivity("Ship", func(_ turnstone.ActivityContext, n int) (string, error) {
	return fmt.Sprintf("shipped %d", n), nil
})

// order is the code of a build.
func order(code int) *turnstone.Orchestration[int, string] {
	return turnstone.NewOrchestration("Order", func(ctx *turnstone.Context, n int) (string, error) {
		if code == 2 {
			if _, err := check.Call(ctx, n); err != nil {
				return "", err
			}
		}
		if _, err := turnstone.WaitEvent[bool](ctx, "paid").Await(); err != nil {
			return "", err
		}
		return ship.Call(ctx, n)
	})
}

func main() {
	dir := flag.String("store", "", "the directory of the store")
	code := flag.Int("code", 1, "which code is deployed")
	raise := flag.Bool("raise", false, "raise the events")
	wait := flag.Bool("wait", false, "wait for the results")
	flag.Parse()
	if err := run(context.Background(), *dir, *code, *raise, *wait); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir string, code int, raise, wait bool) error {
	registry, orderOf := turnstone.NewRegistry(), order(code)
	if err := registry.Register(check, ship, orderOf); err != nil {
		return err
	}
	n, err := node.Open(ctx, node.Config{
		Dir: dir, Registry: registry, Build: fmt.Sprint("code-", code), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer n.Kill() // does nothing after the shutdown below
	for i := range orders {
		id := fmt.Sprint("order-", i)
		if _, err := client.Start(ctx, n.Client(), id, orderOf, i); err != nil && !errors.Is(err, turnstone.ErrAlreadyExists) {
			return err
		}
		if raise {
			if err := client.Raise(ctx, n.Client(), id, "paid", true); err != nil {
				return err
			}
		}
	}
	switch {
	case wait:
		return results(ctx, n)
	case raise:
		return untilKilled(ctx, n, "held", func(c client.Counts) bool { return c.Held == orders })
	default:
		return untilKilled(ctx, n, "waiting", func(c client.Counts) bool { return c.Running == orders })
	}
}

func results(ctx context.Context, n *node.Node) error {
	for i := range orders {
		result, err := client.Attach[string](n.Client(), fmt.Sprint("order-", i)).Wait(ctx)
		if err != nil {
			return err
		}
		fmt.Println("result", result)
	}
	return n.Shutdown(ctx)
}

// untilKilled says when something holds, and does not return.
func untilKilled(ctx context.Context, n *node.Node, what string, holds func(client.Counts) bool) error {
	for tick := time.Tick(time.Millisecond); ; <-tick {
		counts, err := n.Client().Counts(ctx)
		if err != nil {
			return err
		}
		if holds(counts) {
			fmt.Println("all are", what)
			select {}
		}
	}
}
