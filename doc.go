// Package turnstone is durable execution: an orchestration is an ordinary Go function that survives crashes, deployments
// and months of waiting, because each decision that it takes is on disk before anything comes of it.
//
// A program defines activities, which touch the world, and orchestrations, which decide. It registers both, opens a node
// on a directory, and starts instances through the node's client:
//
//	// An activity runs at least once. Its result is recorded exactly once.
//	var Greet = turnstone.NewActivity("Greet", func(ctx turnstone.ActivityContext, name string) (string, error) {
//		return "Hello, " + name + "!", nil
//	})
//
//	// An orchestration goes on where it was after a crash, also if the event comes in three weeks.
//	var Welcome = turnstone.NewOrchestration("Welcome", func(ctx *turnstone.Context, name string) (string, error) {
//		greeting, err := Greet.Call(ctx, name, turnstone.WithRetry(turnstone.NewRetryPolicy(5)))
//		if err != nil {
//			return "", err
//		}
//		_, err = turnstone.WaitEvent[bool](ctx, "approved").Await()
//		return greeting, err
//	})
//
//	func main() {
//		ctx, registry := context.Background(), turnstone.NewRegistry()
//		check(registry.Register(Greet, Welcome))
//		dir, err := os.MkdirTemp("", "greetings") // name a directory of your own to keep the store
//		check(err)
//		n, err := node.Open(ctx, node.Config{Dir: dir, Registry: registry})
//		check(err)
//		run, err := client.Start(ctx, n.Client(), "welcome-ada", Welcome, "Ada")
//		check(err)
//		check(run.Raise(ctx, "approved", true))
//		greeting, err := run.Wait(ctx)
//		check(err)
//		fmt.Println(greeting)
//		check(n.Shutdown(ctx))
//		check(os.RemoveAll(dir))
//	}
//
//	func check(err error) {
//		if err != nil {
//			log.Fatal(err)
//		}
//	}
//
// # Determinism
//
// When the memory of an instance is lost, its function runs again over what was recorded, and must ask for the same things
// in the same order. So orchestration code branches on its input and on what its futures gave it, and on nothing else. It
// takes time, randomness and ids from its [Context], concurrency from [Context.Go], and does nothing to the world: that is
// for activities. It does not range over maps to decide, start goroutines, or wait for anything but futures.
//
// # Caveats
//
//   - An activity may run more than once: again after a crash, until its result is recorded. Make it idempotent;
//     [ActivityContext.IdempotencyKey] is the same for every run of a call.
//   - Code that an instance began with has to fit its history for as long as the instance runs. Register changed code under
//     a higher version ([WithVersion]) and keep the old one registered, or branch with [Context.Patched]. Code that does
//     not fit holds the instance and loses nothing; a handler that is missing is waited for about 5 minutes, and then the
//     instance fails for good.
//   - Each turn is a commit to the disk. State that changes a thousand times a second does not belong in an orchestration.
//   - A history has limits (51,200 events, 50 MiB), and so has each value (2 MiB). A loop that should run for ever ends each
//     round with [ContinueAsNew].
//   - Values go through strict JSON, or a [Codec] of the registry: what would not come back as it was is refused.
//   - An instance id names one instance for good. Histories are kept, so a store only grows.
//   - One process at a time has a store open. There is no cluster, and a client is in the process of its node.
//
// # Where to read on
//
// Start reading at [NewOrchestration] and [NewActivity], then [Context]. Package client starts orchestrations and waits
// for them, package node runs them, and package limits has what they may not exceed. docs/guide.md says the rest.
//
// A package of orchestrations imports only this one: it links neither a storage engine nor an actor library. This package
// owns the author's types, and must not know a journal, an actor, a network or a node.
//
// Invariants:
//   - Every method of [Context] and [Future] is called on the orchestration's own coroutine. A call from a goroutine
//     that the author started is misuse: it is reported, and the turn is not committed.
//   - A value that goes through a [Codec] comes back equal, or the encoding fails.
//   - errors.As finds the [Error] that an activity or a child returns in what its caller gets.
package turnstone
