// Command saga books a trip in three steps. When one of them fails, those that succeeded are undone in reverse order.
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

// Trip books a flight, a hotel and a car, or nothing.
var Trip = turnstone.NewOrchestration("Trip", func(ctx *turnstone.Context, traveller string) ([]string, error) {
	var done []string
	for _, what := range []string{"flight", "hotel", "car"} {
		booking, err := Book.Call(ctx, Step{what, traveller}, turnstone.WithRetry(policy))
		var soldOut *turnstone.Error
		switch {
		case err == nil:
			done = append(done, booking)
		case errors.As(err, &soldOut) && soldOut.Kind == "SoldOut":
			return undo(ctx, done)
		default:
			return nil, err
		}
	}
	return done, nil
})

func undo(ctx *turnstone.Context, done []string) ([]string, error) {
	var undone []string
	for i := len(done) - 1; i >= 0; i-- {
		receipt, err := Undo.Call(ctx, done[i], turnstone.WithRetry(policy))
		if err != nil {
			return nil, err
		}
		undone = append(undone, receipt)
	}
	return undone, nil
}

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
	for _, traveller := range []string{"Ada", "Grace"} {
		instance, err := client.Start(ctx, n.Client(), "trip-"+traveller, Trip, traveller)
		if err != nil && !errors.Is(err, turnstone.ErrAlreadyExists) {
			return "", err
		}
		bookings, err := instance.Wait(ctx)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "%s: %s\n", traveller, strings.Join(bookings, ", "))
	}
	return out.String(), n.Shutdown(ctx)
}
