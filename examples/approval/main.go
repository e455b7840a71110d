// Command approval waits for a person: an order is approved by an event, or given up when no answer comes in time.
//
// It must not know more of Turnstone than an author does. Start reading at Order.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// Request is an order that needs approval within a time.
type Request struct {
	Item   string
	Within time.Duration
}

// Approval is what a person answers.
type Approval struct {
	By string
	OK bool
}

// Order waits for the event "approval". In the meantime it costs nothing: it is on disk, and a timer is set.
var Order = turnstone.NewOrchestration("Order", func(ctx *turnstone.Context, r Request) (string, error) {
	approval := turnstone.WaitEvent[Approval](ctx, "approval")
	if turnstone.Race(ctx, approval, ctx.Timer(r.Within)) == 1 {
		return r.Item + ": nobody answered in time", nil
	}
	a, err := approval.Await()
	if err != nil {
		return "", err
	}
	if !a.OK {
		return r.Item + ": refused by " + a.By, nil
	}
	return r.Item + ": approved by " + a.By, nil
})

func main() {
	dir := flag.String("store", "approval.store", "the directory of the store")
	flag.Parse()
	out, err := run(context.Background(), *dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(out)
}

func run(ctx context.Context, dir string) (string, error) {
	registry := turnstone.NewRegistry()
	if err := registry.Register(Order); err != nil {
		return "", err
	}
	n, err := node.Open(ctx, node.Config{Dir: dir, Registry: registry})
	if err != nil {
		return "", err
	}
	defer n.Kill()
	c := n.Client()
	orders := []struct {
		request Request
		answer  *Approval
	}{
		{Request{"chair", 24 * time.Hour}, &Approval{"Ada", true}},
		{Request{"throne", 24 * time.Hour}, &Approval{"Grace", false}},
		{Request{"stool", 50 * time.Millisecond}, nil},
	}
	var out strings.Builder
	for _, o := range orders {
		instance, err := client.Start(ctx, c, "order-"+o.request.Item, Order, o.request)
		if err != nil && !errors.Is(err, turnstone.ErrAlreadyExists) {
			return "", err
		}
		if o.answer != nil {
			err := instance.Raise(ctx, "approval", *o.answer)
			if err != nil && !errors.Is(err, turnstone.ErrInstanceEnded) { // it may have, in an earlier run
				return "", err
			}
		}
		answer, err := instance.Wait(ctx)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&out, answer)
	}
	return out.String(), n.Shutdown(ctx)
}
