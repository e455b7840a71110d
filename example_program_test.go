package turnstone_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// An activity runs at least once. Its result is recorded exactly once.
var Greet = turnstone.NewActivity("Greet", func(ctx turnstone.ActivityContext, name string) (string, error) {
	return "Hello, " + name + "!", nil
})

// An orchestration goes on where it was after a crash, also if the event comes in three weeks.
var Welcome = turnstone.NewOrchestration("Welcome", func(ctx *turnstone.Context, name string) (string, error) {
	greeting, err := Greet.Call(ctx, name, turnstone.WithRetry(turnstone.NewRetryPolicy(5)))
	if err != nil {
		return "", err
	}
	_, err = turnstone.WaitEvent[bool](ctx, "approved").Await()
	return greeting, err
})

func Example() {
	ctx, registry := context.Background(), turnstone.NewRegistry()
	check(registry.Register(Greet, Welcome))
	dir, err := os.MkdirTemp("", "greetings") // name a directory of your own to keep the store
	check(err)
	n, err := node.Open(ctx, node.Config{Dir: dir, Registry: registry})
	check(err)
	run, err := client.Start(ctx, n.Client(), "welcome-ada", Welcome, "Ada")
	check(err)
	check(run.Raise(ctx, "approved", true))
	greeting, err := run.Wait(ctx)
	check(err)
	fmt.Println(greeting)
	check(n.Shutdown(ctx))
	check(os.RemoveAll(dir))
	// Output: Hello, Ada!
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
