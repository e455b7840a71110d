package turnstone_test

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/turnstone-dev/turnstone"
)

// show runs an orchestration without a node, as these examples need: activities at once, timers in virtual time, and
// the events of a script when nothing else can happen.
func show(name string, input any, events []raised, handlers ...turnstone.Handler) {
	r := turnstone.NewRegistry(turnstone.WithLogger(slog.New(slog.DiscardHandler)))
	if err := r.Register(handlers...); err != nil {
		panic(err)
	}
	showFrom(r, name, input, events)
}

// showFrom is show with what a registry has.
func showFrom(r *turnstone.Registry, name string, input any, events []raised) {
	d := newDriver(nil)
	d.registry, d.events = r, events
	out := d.run(name, "example", input)
	if out.failure != nil {
		fmt.Println("failed:", out.failure)
		return
	}
	fmt.Println(string(out.output))
}

type Order struct {
	ID     string
	Amount int
}

type Receipt struct{ Number string }

// An activity is a function that may do anything. It runs at least once.
var Charge = turnstone.NewActivity("Charge", func(ctx turnstone.ActivityContext, o Order) (Receipt, error) {
	if o.Amount > 1000 {
		return Receipt{}, &turnstone.Error{Kind: "Declined", Message: "card declined", Details: o.Amount, NonRetryable: true}
	}
	return Receipt{Number: "r-" + o.ID}, nil
})

// An orchestration decides. It must be deterministic.
var Checkout = turnstone.NewOrchestration("Checkout", func(ctx *turnstone.Context, o Order) (Receipt, error) {
	return Charge.Call(ctx, o, turnstone.WithRetry(turnstone.NewRetryPolicy(5)))
})

func ExampleNewOrchestration() {
	show("Checkout", Order{ID: "7", Amount: 10}, nil, Charge, Checkout)
	// Output: {"Number":"r-7"}
}

func ExampleActivity_Start() {
	fanOut := turnstone.NewOrchestration("FanOut", func(ctx *turnstone.Context, ids []string) ([]Receipt, error) {
		var all []*turnstone.Future[Receipt]
		for _, id := range ids {
			all = append(all, Charge.Start(ctx, Order{ID: id}))
		}
		return turnstone.Results(ctx, all...)
	})
	show("FanOut", []string{"a", "b"}, nil, Charge, fanOut)
	// Output: [{"Number":"r-a"},{"Number":"r-b"}]
}

func ExampleError() {
	explain := turnstone.NewOrchestration("Explain", func(ctx *turnstone.Context, o Order) (string, error) {
		_, err := Checkout.Call(ctx, o) // through a child
		var declined *turnstone.Error
		if errors.As(err, &declined) && declined.Kind == "Declined" {
			amount, _ := turnstone.Details[int](err)
			return fmt.Sprintf("%v at %d", declined, amount), nil
		}
		return "paid", err
	})
	show("Explain", Order{ID: "7", Amount: 5000}, nil, Charge, Checkout, explain)
	// Output: "card declined at 5000"
}

func ExampleRace() {
	approval := turnstone.NewOrchestration("Approval", func(ctx *turnstone.Context, _ int) (string, error) {
		approved := turnstone.WaitEvent[string](ctx, "approved")
		if turnstone.Race(ctx, approved, ctx.Timer(24*time.Hour)) == 1 {
			return "", errors.New("no answer in a day")
		}
		by, err := approved.Await()
		return "approved by " + by, err
	})
	show("Approval", 0, []raised{{"approved", "Ada"}}, approval)
	show("Approval", 0, nil, approval)
	// Output:
	// "approved by Ada"
	// failed: no answer in a day
}

func ExampleSelect() {
	inbox := turnstone.NewOrchestration("Inbox", func(ctx *turnstone.Context, _ int) (n int, err error) {
		mail, closed := turnstone.WaitEvent[int](ctx, "mail"), turnstone.WaitEvent[bool](ctx, "close")
		for {
			switch turnstone.Select(ctx, mail, closed) {
			case 0:
				if v, err := mail.Await(); err == nil {
					n += v
				}
				mail = turnstone.WaitEvent[int](ctx, "mail")
			case 1:
				return n, nil
			}
		}
	})
	show("Inbox", 0, []raised{{"mail", 1}, {"mail", 2}, {"close", true}}, inbox)
	// Output: 3
}

func ExampleGo() {
	steps := turnstone.NewOrchestration("Steps", func(ctx *turnstone.Context, _ int) ([]string, error) {
		branch := func(id string) *turnstone.Future[string] {
			return turnstone.Go(ctx, func(ctx *turnstone.Context) (string, error) {
				r, err := Charge.Call(ctx, Order{ID: id})
				if err != nil {
					return "", err
				}
				ctx.Sleep(time.Minute)
				return r.Number + " settled", nil
			})
		}
		return turnstone.Results(ctx, branch("a"), branch("b"))
	})
	show("Steps", 0, nil, Charge, steps)
	// Output: ["r-a settled","r-b settled"]
}

func ExampleContext_Scope() {
	search := turnstone.NewOrchestration("Search", func(ctx *turnstone.Context, ids []string) (first string, err error) {
		err = ctx.Scope(func(ctx *turnstone.Context) error { // what is still open when it returns is cancelled
			var all []turnstone.Awaitable
			for _, id := range ids {
				all = append(all, Charge.Start(ctx, Order{ID: id}))
			}
			first = ids[turnstone.Select(ctx, all...)]
			return nil
		})
		return first, err
	})
	show("Search", []string{"a", "b", "c"}, nil, Charge, search)
	// Output: "a"
}

func ExampleContinueAsNew() {
	loop := turnstone.NewOrchestration("Loop", func(ctx *turnstone.Context, round int) (string, error) {
		ctx.Sleep(time.Hour)
		if round < 3 {
			return "", turnstone.ContinueAsNew(ctx, round+1) // a fresh history
		}
		return fmt.Sprintf("round %d in execution %d", round, ctx.Execution()), nil
	})
	show("Loop", 0, nil, loop)
	// Output: "round 3 in execution 4"
}

func ExampleMap() {
	number := turnstone.NewOrchestration("Number", func(ctx *turnstone.Context, o Order) (string, error) {
		text := turnstone.Map(Charge.Start(ctx, o), func(r Receipt) (string, error) { return "no. " + r.Number, nil })
		return text.Await()
	})
	show("Number", Order{ID: "1"}, nil, Charge, number)
	// Output: "no. r-1"
}

func ExampleOrchestration_Start() {
	parent := turnstone.NewOrchestration("Parent", func(ctx *turnstone.Context, _ int) (Receipt, error) {
		child := Checkout.Start(ctx, Order{ID: "c"}, turnstone.WithChildID("checkout-c"))
		Checkout.StartDetached(ctx, "checkout-d", Order{ID: "d"}) // the code does not wait for this one
		return child.Await()
	})
	show("Parent", 0, nil, Charge, Checkout, parent)
	// Output: {"Number":"r-c"}
}

// The same by name, with encoded values: for handlers that are not in this program.
func ExampleContext_CallActivity() {
	byName := turnstone.NewOrchestration("ByName", func(ctx *turnstone.Context, _ int) (string, error) {
		receipt, err := ctx.CallActivity("Charge", []byte(`{"ID":"9"}`))
		return string(receipt), err
	})
	show("ByName", 0, nil, Charge, byName)
	// Output: "{\"Number\":\"r-9\"}"
}

func ExampleRegistry() {
	v1 := turnstone.NewOrchestration("Greet", func(*turnstone.Context, string) (string, error) { return "v1", nil })
	v2 := turnstone.NewOrchestration("Greet", func(*turnstone.Context, string) (string, error) { return "v2", nil },
		turnstone.WithVersion("2.0.0"))
	r := turnstone.NewRegistry()
	fmt.Println(r.Register(v1, v2, Charge, Charge))
	fmt.Println(r.Versions("Greet"), r.Activities())
	showFrom(r, "Greet", "", nil) // the latest version
	r.SetVersionPolicy("Greet", turnstone.Exact("1.0.0"))
	showFrom(r, "Greet", "", nil)
	// Output:
	// duplicate activity registration: Charge
	// [1.0.0 2.0.0] [Charge]
	// "v2"
	// "v1"
}
