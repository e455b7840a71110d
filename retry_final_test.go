package turnstone_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// four is a policy that would try four times, without a wait.
var four = turnstone.WithRetry(turnstone.NewRetryPolicy(4).WithBackoff(turnstone.NoBackoff()))

func children(e *turnpb.Event) bool { return e.GetSubOrchestrationScheduled() != nil }

func TestF27_what_cannot_change_is_not_retried(t *testing.T) {
	runs := 0
	nan := turnstone.NewActivity("NaN", func(turnstone.ActivityContext, int) (float64, error) {
		runs++
		return math.NaN(), nil
	})
	nanChild := turnstone.NewOrchestration("NaNChild", func(*turnstone.Context, int) (float64, error) { return math.NaN(), nil })
	number := turnstone.NewActivity("Number", func(turnstone.ActivityContext, int) (int, error) { return 0, nil })
	numberChild := turnstone.NewOrchestration("NumberChild", func(*turnstone.Context, int) (int, error) { return 0, nil })
	panics := turnstone.NewOrchestration("Panics", func(*turnstone.Context, int) (int, error) { panic("lost") })
	misuse := turnstone.NewOrchestration("Misuse", func(ctx *turnstone.Context, _ int) (int, error) {
		return numberChild.Call(ctx, 1, turnstone.WithVersion("1"))
	})
	for name, c := range map[string]struct {
		call func(ctx *turnstone.Context) error
		want string
		kind string
	}{
		"a result that cannot be encoded": {func(ctx *turnstone.Context) error { return nan.Start(ctx, 1, four).Err() },
			"cannot encode the result of activity NaN", "Codec"},
		"a child's result that cannot be encoded": {func(ctx *turnstone.Context) error { return nanChild.Start(ctx, 1, four).Err() },
			"cannot encode the result of orchestration NaNChild", "Codec"},
		"an input that cannot be decoded": {func(ctx *turnstone.Context) error {
			return ctx.StartActivity("Number", []byte(`"x"`), four).Err()
		}, "cannot decode the input of activity Number", "Codec"},
		"a child that panics": {func(ctx *turnstone.Context) error { return panics.Start(ctx, 1, four).Err() },
			"orchestration panicked: lost", ""},
		"misuse by a child": {func(ctx *turnstone.Context) error { return misuse.Start(ctx, 1, four).Err() },
			`the version "1" is not a semantic version`, turnstone.KindError},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, cold bool) {
				var seen error
				d := newDriver(t, nan, nanChild, number, panics, misuse, orchestration(func(ctx *turnstone.Context) (int, error) {
					seen = c.call(ctx)
					return 0, seen
				}))
				d.cold = cold
				out := d.run("O", "i", struct{}{})
				var f *turnstone.Failure
				if !errors.As(seen, &f) || f.Retryable || !strings.Contains(f.Error(), c.want) {
					t.Fatalf("failure %+v, want one that is not retryable, with %q", seen, c.want)
				}
				var e *turnstone.Error
				if errors.As(seen, &e) != (c.kind != "") || e != nil && e.Kind != c.kind {
					t.Errorf("error %+v, want kind %q", e, c.kind)
				}
				if n := count(out.history, scheduled) + count(out.history, children); n != 1 {
					t.Errorf("it ran %d times", n)
				}
			})
		})
	}
}

// A child whose code does not fit is not retried either: it is held, and where the registry fails such instances, the failure
// ends its parent, which has no say.
func TestF27_a_child_that_cannot_decode_is_not_retried(t *testing.T) {
	number := turnstone.NewActivity("Number", func(turnstone.ActivityContext, int) (int, error) { return 0, nil })
	numberChild := turnstone.NewOrchestration("NumberChild", func(*turnstone.Context, int) (int, error) { return 0, nil })
	other := turnstone.ActivityRef[int, string]("Number")
	wrongType := turnstone.NewOrchestration("WrongType", func(ctx *turnstone.Context, _ int) (string, error) { return other.Call(ctx, 1) })
	for name, c := range map[string]struct {
		call func(ctx *turnstone.Context) error
		want string
	}{
		"its input": {func(ctx *turnstone.Context) error { return ctx.StartChild("NumberChild", []byte(`"x"`), four).Err() },
			"cannot decode the input of orchestration NumberChild, event 1, as int with the codec \"json\": "},
		"a result": {func(ctx *turnstone.Context) error { return wrongType.Start(ctx, 1, four).Err() },
			"cannot decode the result of activity Number, event 2, as string with the codec \"json\" at turnstone_test.TestF27_a_child_that_cannot_decode"},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, cold bool) {
				d := newDriver(t, number, numberChild, wrongType, orchestration(func(ctx *turnstone.Context) (int, error) {
					err := c.call(ctx)
					t.Errorf("the parent is given %v", err)
					return 0, err
				}))
				d.cold = cold
				out := d.run("O", "i", struct{}{})
				if !errors.Is(out.failure, turnstone.ErrNondeterminism) || !strings.Contains(out.failure.Error(), c.want) {
					t.Errorf("failure %v, want one with %q", out.failure, c.want)
				}
				if n := count(out.history, children); n != 1 {
					t.Errorf("it ran %d times", n)
				}
			})
		})
	}
}

// Kinds that a policy names end the retries; others do not.
func TestRetryEndsAtKinds(t *testing.T) {
	runs := map[string]int{}
	a := turnstone.NewActivity("A", func(_ turnstone.ActivityContext, kind string) (int, error) {
		runs[kind]++
		return 0, fmt.Errorf("wrapped: %w", &turnstone.Error{Kind: kind, Message: "no"})
	})
	base := turnstone.NewRetryPolicy(3).WithBackoff(turnstone.NoBackoff()).WithoutRetryOf("Declined")
	policy := base.WithoutRetryOf("SoldOut", "Gone")
	base.WithoutRetryOf("Other")
	d := newDriver(t, a, orchestration(func(ctx *turnstone.Context) (int, error) {
		for _, kind := range []string{"Declined", "SoldOut", "Gone", "Other"} {
			if err := a.Start(ctx, kind, turnstone.WithRetry(policy)).Err(); err == nil {
				return 0, errors.New("no failure")
			}
		}
		return 0, nil
	}))
	d.run("O", "i", struct{}{}).completes(t, 0)
	if fmt.Sprint(runs) != "map[Declined:1 Gone:1 Other:3 SoldOut:1]" {
		t.Errorf("runs %v", runs)
	}
}

func TestF58_a_child_with_an_id_of_its_own_is_retried_and_its_failure_is_seen(t *testing.T) {
	boomChild := turnstone.NewOrchestration("Child", func(ctx *turnstone.Context, good string) (string, error) {
		if ctx.Instance() == good {
			return "done", nil
		}
		return "", errors.New("boom")
	})
	both(t, func(t *testing.T, cold bool) {
		var first, second error
		d := newDriver(t, boomChild, orchestration(func(ctx *turnstone.Context) (string, error) {
			_, first = boomChild.Call(ctx, "", four, turnstone.WithChildID("order-7"))
			_, second = boomChild.Call(ctx, "", four, turnstone.WithChildID("order-7"))
			return boomChild.Call(ctx, "order-8::attempt::3", four, turnstone.WithChildID("order-8"))
		}))
		d.cold = cold
		out := d.run("O", "i", struct{}{})
		out.completes(t, "done")
		if first == nil || first.Error() != "boom" {
			t.Errorf("the first call gives %v, want boom", first)
		}
		if !errors.Is(second, turnstone.ErrAlreadyExists) {
			t.Errorf("the id again gives %v", second)
		}
		var ids []string
		for _, e := range out.history {
			if c := e.GetSubOrchestrationScheduled(); c != nil {
				ids = append(ids, c.GetInstance())
			}
		}
		want := "[order-7 order-7::attempt::2 order-7::attempt::3 order-7::attempt::4 order-7 order-8 order-8::attempt::2 order-8::attempt::3]"
		if fmt.Sprint(ids) != want {
			t.Errorf("children %v, want %s", ids, want)
		}
	})
}

// A failure is not hidden by the id of a later attempt being taken.
func TestF58_a_taken_id_of_a_later_attempt_does_not_hide_the_failure(t *testing.T) {
	child := turnstone.NewOrchestration("Child", func(*turnstone.Context, int) (string, error) { return "", errors.New("boom") })
	d := newDriver(t, child, orchestration(func(ctx *turnstone.Context) (string, error) {
		_, _ = child.Call(ctx, 1, turnstone.WithChildID("order-7::attempt::2"))
		return child.Call(ctx, 1, four, turnstone.WithChildID("order-7"))
	}))
	d.run("O", "i", struct{}{}).fails(t, "boom")
}
