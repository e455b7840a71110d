package turnstone_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

func TestAllAndResults(t *testing.T) {
	both(t, func(t *testing.T, cold bool) {
		d := newDriver(t, upper, boom, orchestration(func(ctx *turnstone.Context) (any, error) {
			if err := turnstone.All(ctx); err != nil {
				return nil, err
			}
			a, b := upper.Start(ctx, "a"), upper.Start(ctx, "b")
			bad := boom.Start(ctx, "1")
			first := turnstone.All(ctx, a, ctx.Timer(time.Second), bad, boom.Start(ctx, "2"), b)
			values, err := turnstone.Results(ctx, b, bad, a)
			none, noErr := turnstone.Results[int](ctx)
			return []any{first.Error(), values, err.Error(), len(none), noErr == nil, bad.Ready()}, nil
		}))
		d.cold = cold
		d.run("O", "i", struct{}{}).completes(t, []any{"boom 1", []string{"B", "", "A"}, "boom 1", 0, true, true})
	})
}

func TestRaceCancelsLosers(t *testing.T) {
	both(t, func(t *testing.T, cold bool) {
		d := newDriver(t, upper, orchestration(func(ctx *turnstone.Context) (any, error) {
			never := turnstone.WaitEvent[int](ctx, "never")
			slow := ctx.Timer(time.Hour)
			won := turnstone.Race(ctx, never, upper.Start(ctx, "x"), slow)
			_, err := never.Await()
			_, err2 := slow.Await()
			return []any{won, errors.Is(err, turnstone.ErrCancelled), errors.Is(err2, turnstone.ErrCancelled), turnstone.Race(ctx)}, nil
		}))
		d.cold = cold
		out := d.run("O", "i", struct{}{})
		out.completes(t, []any{1, true, true, -1})
		if n := count(out.history, func(e *turnpb.Event) bool { return e.GetExternalSubscribedCancelled() != nil }); n != 1 {
			t.Errorf("%d breadcrumbs for the wait, want 1", n)
		}
	})
}

func TestSelectCancelsNothing(t *testing.T) {
	both(t, func(t *testing.T, cold bool) {
		d := newDriver(t, orchestration(func(ctx *turnstone.Context) (any, error) {
			var got []string
			news, stop := turnstone.WaitEvent[string](ctx, "news"), turnstone.WaitEvent[bool](ctx, "stop")
			for {
				switch turnstone.Select(ctx, stop, news) {
				case 0:
					return got, nil
				case 1:
					s, err := news.Await()
					if err != nil {
						return nil, err
					}
					got = append(got, s)
					news = turnstone.WaitEvent[string](ctx, "news")
				}
			}
		}))
		d.cold, d.events = cold, []raised{{"news", "a"}, {"news", "b"}, {"stop", true}}
		d.run("O", "i", struct{}{}).completes(t, []string{"a", "b"})
	})
}

func TestGoAndScope(t *testing.T) {
	both(t, func(t *testing.T, cold bool) {
		d := newDriver(t, upper, orchestration(func(ctx *turnstone.Context) (any, error) {
			branch := func(s string) *turnstone.Future[string] {
				return turnstone.Go(ctx, func(ctx *turnstone.Context) (string, error) {
					once, err := upper.Call(ctx, s)
					if err != nil {
						return "", err
					}
					return upper.Call(ctx, once+s)
				})
			}
			both, err := turnstone.Results(ctx, branch("a"), branch("b"))
			if err != nil {
				return nil, err
			}
			var inside *turnstone.Future[int]
			scoped := ctx.Scope(func(ctx *turnstone.Context) error {
				inside = turnstone.WaitEvent[int](ctx, "never")
				return ctx.Go(func(ctx *turnstone.Context) error {
					ctx.Sleep(time.Second)
					return errors.New("from the scope")
				}).Err()
			})
			_, gone := inside.Await()
			nested := turnstone.Go(ctx, func(ctx *turnstone.Context) (int, error) {
				return turnstone.Race(ctx, ctx.Timer(time.Hour), ctx.Timer(time.Second)), nil
			})
			won := turnstone.Race(ctx, ctx.Timer(time.Minute), nested)
			inner, err := nested.Await()
			return []any{both, scoped.Error(), errors.Is(gone, turnstone.ErrCancelled), won, inner}, err
		}))
		d.cold = cold
		d.run("O", "i", struct{}{}).completes(t, []any{[]string{"AA", "BB"}, "from the scope", true, 1, 1})
	})
}

// A coroutine that loses a race is unwound: its deferred functions run, and what it had started is cancelled.
func TestCancelledCoroutineIsUnwound(t *testing.T) {
	both(t, func(t *testing.T, cold bool) {
		d := newDriver(t, orchestration(func(ctx *turnstone.Context) (string, error) {
			unwound := false
			work := ctx.Go(func(ctx *turnstone.Context) error {
				defer func() { unwound = true }()
				defer func() { _ = recover() }()
				_, err := turnstone.WaitEvent[int](ctx, "never").Await()
				return err
			})
			won := turnstone.Race(ctx, work, ctx.Timer(time.Second))
			return fmt.Sprint(won, unwound), nil
		}))
		d.cold = cold
		out := d.run("O", "i", struct{}{})
		out.completes(t, "1 true")
		if n := count(out.history, func(e *turnpb.Event) bool { return e.GetExternalSubscribedCancelled() != nil }); n != 1 {
			t.Errorf("%d breadcrumbs for the wait inside, want 1", n)
		}
	})
}

// E2E-065, E2E-066 and E2E-067 on the core.
func TestMap(t *testing.T) {
	double := turnstone.NewActivity("Double", func(_ turnstone.ActivityContext, n int) (int, error) { return 2 * n, nil })
	d := newDriver(t, double, boom, orchestration(func(ctx *turnstone.Context) (any, error) {
		calls := 0
		text := func(n int) (string, error) {
			calls++
			if n < 0 {
				return "", errors.New("negative")
			}
			return fmt.Sprint(n + 1), nil
		}
		a := turnstone.Map(double.Start(ctx, 21), text)
		b := turnstone.Map(double.Start(ctx, -1), text)
		c := turnstone.Map(boom.Start(ctx, "m"), func(string) (int, error) { return 1, nil })
		av, err := a.Await()
		if again, _ := a.Await(); again != av {
			return nil, errors.New("the second answer differs")
		}
		_, errB := b.Await()
		_, errC := c.Await()
		lost := turnstone.Map(turnstone.WaitEvent[int](ctx, "never"), text)
		won := turnstone.Race(ctx, lost, ctx.Timer(50*time.Millisecond))
		_, gone := lost.Await()
		return []any{av, errB.Error(), errC.Error(), calls, won, errors.Is(gone, turnstone.ErrCancelled)}, err
	}))
	d.run("O", "i", struct{}{}).completes(t, []any{"43", "negative", "boom m", 2, 1, true})
}

func TestCancelAndEvent(t *testing.T) {
	d := newDriver(t, upper, orchestration(func(ctx *turnstone.Context) (any, error) {
		f := upper.Start(ctx, "x")
		unbound := f.Event()
		if _, err := upper.Call(ctx, "y"); err != nil {
			return nil, err
		}
		g := turnstone.WaitEvent[int](ctx, "never")
		ctx.Sleep(time.Second)
		ready := g.Ready()
		g.Cancel()
		return []any{unbound, f.Event(), ready, g.Ready()}, nil
	}))
	d.run("O", "i", struct{}{}).completes(t, []any{0, 2, false, true})
}
