package turnstone

import (
	"log/slog"
	"time"

	"github.com/turnstone-dev/turnstone/replay"
)

// Context is what orchestration code runs with. It is valid only in the function that it was given to, on the
// orchestration's own coroutine: never hand it to a goroutine. Every method is deterministic.
type Context struct {
	rc  *replay.Context
	env *environment
}

// environment is what all coroutines of an execution share.
type environment struct {
	codec  Codec
	logger *slog.Logger
	// ownLogger: logger is the registry's own, not the host's.
	ownLogger bool
	// failOnNondeterminism: see FailOnNondeterminism.
	failOnNondeterminism bool
	// logged is what is logged once.
	logged *seldom
}

// Instance is the id of the instance.
func (c *Context) Instance() string { return c.rc.Instance() }

// Execution is the number of the execution, from 1; it rises with every continue-as-new.
func (c *Context) Execution() uint64 { return c.rc.Execution() }

// Name is the orchestration's registered name.
func (c *Context) Name() string { return c.rc.Name() }

// Version is the handler's version, a full semantic version such as 1.0.0.
func (c *Context) Version() string { return c.rc.Version() }

// Now is the recorded time of the turn, at a resolution of 1 ms. It never goes back within an execution, and it
// stands still while code runs. It costs nothing; use it instead of time.Now.
func (c *Context) Now() time.Time { return c.rc.Now() }

// UTCNow is [Context.Now] as an entry of its own in the history.
func (c *Context) UTCNow() time.Time { return time.UnixMilli(c.rc.UTCNow()).UTC() }

// NewGUID is a fresh UUID (version 7), recorded in the history.
func (c *Context) NewGUID() string { return c.rc.NewGUID() }

// Random is 64 random bits drawn from the turn's recorded seed. They are not for secrets.
func (c *Context) Random() uint64 { return c.rc.Random() }

// Replaying reports whether the code is repeating what history already has. Nothing that is recorded may depend on
// it.
func (c *Context) Replaying() bool { return c.rc.Replaying() }

// Timer starts a durable timer. Its future resolves when the wall clock shows at least d more than at the turn, also across
// restarts. 0 and negative durations are due at once. There is no maximum. A timer that waits when the clock is set moves
// with it; one that is started afterwards lasts d, though [Context.Now] may be ahead of the clock then.
func (c *Context) Timer(d time.Duration) *Future[struct{}] {
	return &Future[struct{}]{
		rf: c.rc.Timer(d), codec: c.env.codec,
		read: func(any) (struct{}, error) { return struct{}{}, nil },
	}
}

// Sleep waits for a durable timer.
func (c *Context) Sleep(d time.Duration) { _ = c.Timer(d).Err() }

// Scope runs f and, when f returns, cancels everything that was started inside and has not resolved: activities,
// children, timers, waits and coroutines. It returns what f returns. f must use the context that it is given.
func (c *Context) Scope(f func(ctx *Context) error) error {
	return c.rc.Scope(func(rc *replay.Context) error { return f(&Context{rc: rc, env: c.env}) })
}

// Go runs f as a coroutine of this orchestration and returns a future of its end. It does not start before the
// caller waits for something. Coroutines take turns in the order of their creation; only one runs at a time, so they
// may share variables without locks. Use [Go] for one that returns a value.
func (c *Context) Go(f func(ctx *Context) error) *Future[struct{}] {
	return Go(c, func(ctx *Context) (struct{}, error) { return struct{}{}, f(ctx) })
}

// fresh is the context that a handler gets.
func fresh(rc *replay.Context, env *environment) *Context { return &Context{rc: rc, env: env} }

// encodeFor turns an author's value into bytes. A value that the codec refuses is a programmer's error: it panics, and
// the orchestration fails with kind [KindPanicked].
func encodeFor[T any](c *Context, what string, v T) []byte {
	c.rc.Check() // a panic on a goroutine of the author's would end the process
	data, err := encode(c.env.codec, v)
	if err != nil {
		panic("cannot encode " + what + ": " + err.Error())
	}
	return data
}
