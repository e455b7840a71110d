// Command hello runs the smallest orchestration: it calls an activity for each name and joins what they say.
//
// It must not know more of Turnstone than an author does. Start reading at Hello.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"strings"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// Greet is an activity: it may do anything, and runs at least once.
var Greet = turnstone.NewActivity("Greet", func(ctx turnstone.ActivityContext, name string) (string, error) {
	return "Hello, " + name + "!", nil
})

// Hello is an orchestration: it decides, and every decision is on disk before anything comes of it.
var Hello = turnstone.NewOrchestration("Hello", func(ctx *turnstone.Context, names []string) (string, error) {
	var greetings []string
	for _, name := range names {
		greeting, err := Greet.Call(ctx, name)
		if err != nil {
			return "", err
		}
		greetings = append(greetings, greeting)
	}
	return strings.Join(greetings, " "), nil
})

func main() {
	dir := flag.String("store", "hello.store", "the directory of the store")
	flag.Parse()
	out, err := run(context.Background(), *dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(out)
}

func run(ctx context.Context, dir string) (string, error) {
	registry := turnstone.NewRegistry()
	if err := registry.Register(Greet, Hello); err != nil {
		return "", err
	}
	n, err := node.Open(ctx, node.Config{Dir: dir, Registry: registry})
	if err != nil {
		return "", err
	}
	defer n.Kill() // does nothing after the shutdown below
	instance, err := client.Start(ctx, n.Client(), "hello-1", Hello, []string{"Ada", "Grace"})
	if err != nil && !errors.Is(err, turnstone.ErrAlreadyExists) { // an earlier run has started it
		return "", err
	}
	greeting, err := instance.Wait(ctx)
	if err != nil {
		return "", err
	}
	return greeting + "\n", n.Shutdown(ctx)
}
