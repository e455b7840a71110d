// Command saga books a trip in three steps. When the booking does not end well, the steps that
// succeeded are undone in reverse order.
//
// It must not know more of Turnstone than an author does. Start reading at Trip.
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

// Step is one booking.
type Step struct {
	What, Traveller string
}

// Book books, or says why it cannot: an error of a kind of its own, which no retry will mend.
var Book = turnstone.NewActivity("Book", func(ctx turnstone.ActivityContext, s Step) (string, error) {
	if s.What == "hotel" && s.Traveller == "Grace" {
		return "", &turnstone.Error{Kind: "SoldOut", Message: "no hotel room is left", NonRetryable: true}
	}
	return s.What + " for " + s.Traveller, nil
})

// Undo takes a booking back.
var Undo = turnstone.NewActivity("Undo", func(ctx turnstone.ActivityContext, booking string) (string, error) {
	return "no " + booking, nil
})

var policy = turnstone.NewRetryPolicy(5).WithBackoff(turnstone.FixedBackoff(10 * time.Millisecond))

// Trip books a flight, a hotel and a car, or nothing: whatever ends it, a cancel too, what was booked is taken back.
var Trip = turnstone.NewOrchestration("Trip", func(ctx *turnstone.Context, traveller string) ([]string, error) {
	var done []string
	for _, what := range []string{"flight", "hotel", "car"} {
		booking, err := Book.Call(ctx, Step{what, traveller}, turnstone.WithRetry(policy))
		if err != nil {
			return nil, err
		}
		done = append(done, booking)
		ctx.Compensate(func(ctx *turnstone.Context) error {
			receipt, err := Undo.Call(ctx, booking, turnstone.WithRetry(policy))
			if err != nil {
				return err
			}
			turnstone.SetKV(ctx, what, receipt)
			return nil
		})
	}
	if traveller == "Linus" { // who has not decided yet
		if err := turnstone.WaitEvent[bool](ctx, "pay").Err(); err != nil {
			return nil, err
		}
	}
	return done, nil
})

func main() {
	dir := flag.String("store", "saga.store", "the directory of the store")
	flag.Parse()
	out, err := run(context.Background(), *dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(out)
}

func run(ctx context.Context, dir string) (string, error) {
	registry := turnstone.NewRegistry()
	if err := registry.Register(Book, Undo, Trip); err != nil {
		return "", err
	}
	n, err := node.Open(ctx, node.Config{Dir: dir, Registry: registry})
	if err != nil {
		return "", err
	}
	defer n.Kill()
	var out strings.Builder
	for _, traveller := range []string{"Ada", "Grace", "Linus"} {
		text, err := book(ctx, n.Client(), traveller)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "%s: %s\n", traveller, text)
	}
	return out.String(), n.Shutdown(ctx)
}

// book books a trip, or says why it is not booked and what was taken back. Linus has waited too long.
func book(ctx context.Context, c *client.Client, traveller string) (string, error) {
	id := "trip-" + traveller
	instance, err := client.Start(ctx, c, id, Trip, traveller)
	switch {
	case errors.Is(err, turnstone.ErrAlreadyExists):
	case err != nil:
		return "", err
	case traveller == "Linus":
		for booked := 0; booked < 3; {
			d, err := c.Describe(ctx, id)
			if err != nil {
				return "", err
			}
			booked = int(d.Turn) - 1
		}
		if err := c.Cancel(ctx, id, "too late"); err != nil {
			return "", err
		}
	}
	bookings, err := instance.Wait(ctx)
	var failure *turnstone.Failure
	switch {
	case err == nil:
		return strings.Join(bookings, ", "), nil
	case !errors.As(err, &failure):
		return "", err
	}
	entries, err := c.KVList(ctx, id)
	if err != nil {
		return "", err
	}
	text := failure.Error()
	for _, e := range entries {
		text += ", " + string(e.Value)
	}
	return text, nil
}
