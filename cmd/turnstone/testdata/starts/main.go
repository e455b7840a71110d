// Command starts is the program that failpoint_test.go ends: it starts ten instances one after the other, says so of
// each when it is acknowledged, and prints their results. Run again, it goes on where it was.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

const orders = 10

var price = turnstone.NewActivity("Price", func(_ turnstone.ActivityContext, n int) (int, error) { return 10 * n, nil })

var ship = turnstone.NewActivity("Ship", func(_ turnstone.ActivityContext, n int) (string, error) {
	return fmt.Sprintf("shipped for %d", n), nil
})

var order = turnstone.NewOrchestration("Order", func(ctx *turnstone.Context, n int) (string, error) {
	cost, err := price.Call(ctx, n)
	if err != nil {
		return "", err
	}
	return ship.Call(ctx, cost)
})

func main() {
	dir := flag.String("store", "", "the directory of the store")
	flag.Parse()
	if err := run(context.Background(), *dir); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir string) error {
	registry := turnstone.NewRegistry()
	if err := registry.Register(price, ship, order); err != nil {
		return err
	}
	n, err := node.Open(ctx, node.Config{Dir: dir, Registry: registry, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer n.Kill() // does nothing after the shutdown below
	for i := range orders {
		id := fmt.Sprint("order-", i)
		_, err := client.Start(ctx, n.Client(), id, order, i)
		switch {
		case err == nil:
			fmt.Println("started", id)
		case errors.Is(err, turnstone.ErrAlreadyExists):
			fmt.Println("found", id)
		default:
			return err
		}
	}
	for i := range orders {
		id := fmt.Sprint("order-", i)
		result, err := client.Attach[string](n.Client(), id).Wait(ctx)
		if err != nil {
			return err
		}
		fmt.Println("result of", id, "is", result)
	}
	return n.Shutdown(ctx)
}
