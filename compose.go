package turnstone

import "github.com/turnstone-dev/turnstone/replay"

// Go runs f as a coroutine of the orchestration and returns a future of its result; see [Context.Go]. f must use the
// context that it is given.
func Go[T any](ctx *Context, f func(ctx *Context) (T, error)) *Future[T] {
	env := ctx.env
	rf := ctx.rc.Go(func(rc *replay.Context) (any, error) { return f(&Context{rc: rc, env: env}) })
	return &Future[T]{rf: rf, codec: env.codec, read: func(v any) (T, error) {
		value, _ := v.(T)
		return value, nil
	}}
}

// All waits until every future has resolved, failed ones included, and returns the first error in the order of the
// arguments. Each result is then read with its Await. No futures: nil, at once.
func All(ctx *Context, futures ...Awaitable) error {
	ctx.rc.All(inner(futures)...)
	for _, f := range futures {
		if err := f.Err(); err != nil {
			return err
		}
	}
	return nil
}

// Results waits like [All] and returns the values in the order of the arguments, whatever order they came in. With an
// error the values of those that succeeded are in their places.
func Results[T any](ctx *Context, futures ...*Future[T]) ([]T, error) {
	all := make([]*replay.Future, len(futures))
	for i, f := range futures {
		all[i] = f.rf
	}
	ctx.rc.All(all...)
	values := make([]T, len(futures))
	var first error
	for i, f := range futures {
		v, err := f.Await()
		values[i] = v
		if err != nil && first == nil {
			first = err
		}
	}
	return values, first
}

// Race waits until one future has resolved, successfully or not, cancels all others, and returns the winner's
// position. If several have resolved already, the first in the order of the arguments wins. No futures: -1.
func Race(ctx *Context, futures ...Awaitable) int {
	return ctx.rc.Race(inner(futures)...)
}

// Select waits until one future has resolved and returns its position; it cancels nothing, so the others can be
// selected among again. If several have resolved already, the first in the order of the arguments is returned.
// No futures: -1.
//
//	switch turnstone.Select(ctx, approved, ctx.Timer(24*time.Hour)) {
//	case 0: // approved
//	case 1: // too late
//	}
func Select(ctx *Context, futures ...Awaitable) int {
	return ctx.rc.Select(inner(futures)...)
}

func inner(futures []Awaitable) []*replay.Future {
	all := make([]*replay.Future, len(futures))
	for i, f := range futures {
		all[i] = f.inner()
	}
	return all
}
