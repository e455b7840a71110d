package turnstone_test

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

func TestPatches(t *testing.T) {
	both(t, func(t *testing.T, cold bool) {
		d := newDriver(t, upper, orchestration(func(ctx *turnstone.Context) ([]bool, error) {
			first := ctx.Patched("a")
			if _, err := upper.Call(ctx, "x"); err != nil {
				return nil, err
			}
			ctx.DeprecatePatch("b")
			return []bool{first, ctx.Patched("a"), ctx.Patched("b")}, nil
		}))
		d.cold = cold
		out := d.run("O", "i", struct{}{})
		out.completes(t, []bool{true, true, true})
		if n := count(out.history, func(e *turnpb.Event) bool { return e.GetPatchMarked() != nil }); n != 2 {
			t.Errorf("%d markers", n)
		}
	})
}

type setting struct {
	Region string
	Shards []int
}

func TestSideEffects(t *testing.T) {
	both(t, func(t *testing.T, cold bool) {
		computed := 0
		d := newDriver(t, upper, orchestration(func(ctx *turnstone.Context) ([]any, error) {
			s, err := turnstone.SideEffect(ctx, func() setting {
				computed++
				return setting{fmt.Sprint("eu-", computed), []int{1, 2}}
			})
			if err != nil {
				return nil, err
			}
			raw := ctx.SideEffect(func() []byte { computed++; return []byte("raw") })
			if _, err := upper.Call(ctx, "x"); err != nil {
				return nil, err
			}
			return []any{s, string(raw)}, nil
		}))
		d.cold = cold
		out := d.run("O", "i", struct{}{})
		out.completes(t, []any{setting{"eu-1", []int{1, 2}}, "raw"})
		if computed != 2 {
			t.Errorf("computed %d times", computed)
		}
		if n := count(out.history, func(e *turnpb.Event) bool { return e.GetSideEffectRecorded() != nil }); n != 2 {
			t.Errorf("%d events", n)
		}
	})
}

func TestSideEffectValues(t *testing.T) {
	t.Run("one that the codec refuses is not recorded, and the turn is not either", func(t *testing.T) {
		out := newDriver(t, orchestration(func(ctx *turnstone.Context) (int, error) {
			_, err := turnstone.SideEffect(ctx, func() string { return "\xff" })
			return 0, err
		})).run("O", "i", struct{}{})
		if out.spoiled == nil || !strings.Contains(out.spoiled.Error(), "cannot encode the value of a side effect") {
			t.Errorf("spoiled: %v", out.spoiled)
		}
	})
	t.Run("one that was recorded as another type holds the instance", func(t *testing.T) {
		r := registryOf(t, orchestration(func(ctx *turnstone.Context) (string, error) {
			_, err := turnstone.SideEffect(ctx, func() int { return 1 })
			t.Errorf("the code is given %v", err)
			return "", err
		}))
		_, fn, _ := registries.Orchestration(r, "O", "")
		m := replay.New(replay.Config{Instance: "i", Execution: 1, Name: "O", Version: "1.0.0", Func: fn})
		defer m.Close()
		m.Load(replay.Segments{{Header: &turnpb.SegmentHeader{Turn: 1, Converted: 1}, Events: []*turnpb.Event{
			{Id: 1, Kind: &turnpb.Event_Started{Started: &turnpb.OrchestrationStarted{Name: "O", Version: "1.0.0", Input: []byte("{}")}}},
			{Id: 2, Kind: &turnpb.Event_SideEffectRecorded{SideEffectRecorded: &turnpb.SideEffectRecorded{Value: []byte(`"one"`)}}},
		}}})
		if why := m.Advance(replay.Input{}).Divergence.GetConfiguration().GetMessage(); !strings.HasPrefix(why, "cannot decode the value of a side effect, as int") {
			t.Errorf("divergence %q", why)
		}
	})
	t.Run("its function may not use the context", func(t *testing.T) {
		out := newDriver(t, orchestration(func(ctx *turnstone.Context) (int, error) {
			return turnstone.SideEffect(ctx, func() int { return int(ctx.Random()) })
		})).run("O", "i", struct{}{})
		if out.spoiled == nil || !strings.Contains(out.spoiled.Error(), "the function of a side effect used the orchestration's context") ||
			!strings.Contains(out.spoiled.Error(), "change_test.go:") {
			t.Errorf("spoiled: %v", out.spoiled)
		}
	})
}

// countdown calls itself by a reference: it could not name its own variable.
var countdown = turnstone.NewOrchestration("Countdown", func(ctx *turnstone.Context, n int) (int, error) {
	if n == 0 {
		return 0, nil
	}
	below, err := turnstone.OrchestrationRef[int, int]("Countdown").Call(ctx, n-1)
	return below + 1, err
})

func TestReferences(t *testing.T) {
	both(t, func(t *testing.T, cold bool) {
		shout := turnstone.ActivityRef[string, string]("Upper")
		d := newDriver(t, upper, countdown, orchestration(func(ctx *turnstone.Context) ([]any, error) {
			s, err := shout.Call(ctx, "a")
			if err != nil {
				return nil, err
			}
			n, err := turnstone.OrchestrationRef[int, int]("Countdown").Call(ctx, 3)
			return []any{s, n}, err
		}))
		d.cold = cold
		d.run("O", "i", struct{}{}).completes(t, []any{"A", 3})
	})
	t.Run("a reference with a version starts it, one without leaves it to the policy", func(t *testing.T) {
		pinned := turnstone.OrchestrationRef[int, string]("A", turnstone.WithVersion("1.0.0"))
		open := turnstone.OrchestrationRef[int, string]("A")
		if pinned.Version() != "1.0.0" || open.Version() != "" || pinned.Name() != "A" {
			t.Errorf("versions %q and %q", pinned.Version(), open.Version())
		}
		if v, ok := author.Pinned(pinned); v != "1.0.0" || !ok {
			t.Errorf("a client starts %q, %v", v, ok)
		}
		if _, ok := author.Pinned(open); ok {
			t.Error("a reference without a version is pinned")
		}
		d := newDriver(t, at("A", "1.0.0"), at("A", "2.0.0"), orchestration(func(ctx *turnstone.Context) ([]string, error) {
			a, err := pinned.Call(ctx, 1)
			if err != nil {
				return nil, err
			}
			b, err := open.Call(ctx, 1)
			if err != nil {
				return nil, err
			}
			c, err := pinned.Call(ctx, 1, turnstone.WithVersion("2.0.0"))
			pinned.StartDetached(ctx, "d1", 1)
			open.StartDetached(ctx, "d2", 1)
			return []string{a, b, c}, err
		}))
		d.run("O", "i", struct{}{}).completes(t, []string{"1.0.0", "2.0.0", "2.0.0"})
		var detached []string
		for _, x := range d.detached {
			detached = append(detached, x.Instance+"@"+x.Version)
		}
		if !reflect.DeepEqual(detached, []string{"d1@1.0.0", "d2@"}) {
			t.Errorf("detached: %v", detached)
		}
	})
	t.Run("what has no code is not registered", func(t *testing.T) {
		err := turnstone.NewRegistry().Register(turnstone.ActivityRef[int, int]("X"), turnstone.OrchestrationRef[int, int]("Y"))
		if !errors.Is(err, turnstone.ErrInvalidInput) || err.Error() != `activity "X" is a reference without code: register what NewActivity made; `+
			`orchestration "Y" is a reference without code: register what NewOrchestration made` {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a version that is none is refused at the start", func(t *testing.T) {
		out := newDriver(t, orchestration(func(ctx *turnstone.Context) (int, error) {
			return turnstone.OrchestrationRef[int, int]("A", turnstone.WithVersion("1")).Call(ctx, 1)
		})).run("O", "i", struct{}{})
		if out.failure == nil || !strings.Contains(out.failure.Error(), `the version "1" is not a semantic version`) {
			t.Errorf("failure %v", out.failure)
		}
	})
}

func ExampleSideEffect() {
	ship := turnstone.NewOrchestration("Ship", func(ctx *turnstone.Context, item string) (string, error) {
		region, err := turnstone.SideEffect(ctx, func() string { return os.Getenv("EXAMPLE_REGION") })
		return item + " ships from " + region, err
	})
	check(os.Setenv("EXAMPLE_REGION", "the north"))
	show("Ship", "the book", nil, ship)
	// Output: "the book ships from the north"
}

func ExampleOrchestrationRef() {
	show("Countdown", 3, nil, countdown)
	// Output: 3
}

func ExampleContext_Patched() {
	pay := turnstone.NewOrchestration("Pay", func(ctx *turnstone.Context, name string) (string, error) {
		if ctx.Patched("shout") {
			return upper.Call(ctx, name)
		}
		return name, nil
	})
	show("Pay", "ada", nil, upper, pay)
	// Output: "ADA"
}
