package turnstone

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/internal/seam"
	"github.com/turnstone-dev/turnstone/replay"
)

// Activity is a typed handle of an activity: its name, and the function that runs it. Make it with [NewActivity],
// usually as a package variable.
type Activity[I, O any] struct {
	name string
	run  func(ctx ActivityContext, input I) (O, error)
}

// NewActivity names an activity. The name is stored in histories: keep it stable. run may do anything a Go function
// may, on its own goroutine; it should be idempotent, because it runs at least once: again after a crash, never after
// its result was recorded. It should return soon after its context ends.
func NewActivity[I, O any](name string, run func(ctx ActivityContext, input I) (O, error)) *Activity[I, O] {
	return &Activity[I, O]{name: name, run: run}
}

// Name is the activity's registered name.
func (a *Activity[I, O]) Name() string { return a.name }

// Version is [DefaultVersion]: an activity is found by its name alone, and each attempt runs the code of that name that
// there is. One whose meaning changes takes a new name.
func (a *Activity[I, O]) Version() string { return DefaultVersion }

// Call schedules the activity and waits for it. The error is a [*Failure] if the activity failed. A result that is not an O is no
// failure of the activity: the code does not fit, and the instance is held.
func (a *Activity[I, O]) Call(ctx *Context, input I, options ...ActivityOption) (O, error) {
	return a.Start(ctx, input, options...).Await()
}

// Start schedules the activity and returns a future of its result.
func (a *Activity[I, O]) Start(ctx *Context, input I, options ...ActivityOption) *Future[O] {
	data := encodeFor(ctx, "the input of activity "+a.name, input)
	return result[O](ctx, "the result of activity "+a.name, ctx.startActivity(a.name, data, options))
}

// CallActivity schedules an activity by name, with encoded input, and waits for its encoded result.
func (c *Context) CallActivity(name string, input []byte, options ...ActivityOption) ([]byte, error) {
	return c.StartActivity(name, input, options...).Await()
}

// StartActivity schedules an activity by name, with encoded input, and returns a future of its encoded result.
func (c *Context) StartActivity(name string, input []byte, options ...ActivityOption) *Future[[]byte] {
	return rawFuture(c, c.startActivity(name, input, options))
}

func (c *Context) startActivity(name string, input []byte, options []ActivityOption) *replay.Future {
	if len(options) == 0 {
		return c.rc.Activity(name, input, replay.ActivityOptions{})
	}
	var call activityCall
	for _, o := range options {
		o.activity(&call)
	}
	if call.err != nil {
		return c.refused(fmt.Errorf("call of activity %s: %w", name, call.err))
	}
	if call.retry == nil {
		return c.rc.Activity(name, input, replay.ActivityOptions{Timeouts: call.timeouts})
	}
	kept := bytes.Clone(input) // the attempts come later, and the caller may change its bytes by then
	r := retries{what: "activity " + name, policy: *call.retry, scheduleToCloseMs: call.timeouts.GetScheduleToCloseMs()}
	return c.retried(r, func(rc *replay.Context, a attempt) *replay.Future {
		return rc.Activity(name, kept, replay.ActivityOptions{
			Attempt: a.number, First: a.first, Timeouts: call.timeoutsOf(a), LastHeartbeat: a.heartbeat,
		})
	})
}

// rawFuture is a future of encoded bytes as they are.
func rawFuture(c *Context, rf *replay.Future) *Future[[]byte] {
	return &Future[[]byte]{
		rf: rf,
		read: func(v any) ([]byte, error) {
			data, _ := v.([]byte)
			return data, nil
		},
		codec: c.env.codec,
	}
}

// activityRunner is an activity as a node runs it.
type activityRunner = func(ctx context.Context, info ActivityInfo, heart seam.Heart, input []byte) ([]byte, error)

func (a *Activity[I, O]) runner(env *environment) activityRunner {
	return func(ctx context.Context, info ActivityInfo, heart seam.Heart, input []byte) (output []byte, err error) {
		defer func() {
			if p := recover(); p != nil {
				text := fmt.Sprint(p)
				NewActivityContext(ctx, info, env.logger).Logger().Error("activity panicked",
					logkey.Error, loggable(text), logkey.Stack, loggable(string(debug.Stack())))
				output, err = nil, sent(env.codec, fmt.Errorf("activity %s panicked: %s", info.Name, text))
			}
		}()
		in, err := DecodeValue[I](env.codec, input)
		if err != nil {
			return nil, a.refused(ctx, info, env, err)
		}
		out, err := a.run(beating(ctx, info, heart, env), in)
		if err != nil {
			return nil, sentByActivity(env.codec, err)
		}
		data, err := EncodeValue(env.codec, out)
		if err != nil {
			return nil, sentFinal(env.codec, fmt.Errorf("cannot encode the result of activity %s: %w", a.name, err))
		}
		return data, nil
	}
}

// refused is the failure of an activity whose recorded input its code cannot decode. It is logged once for each reason.
func (a *Activity[I, O]) refused(ctx context.Context, info ActivityInfo, env *environment, err error) error {
	text := fmt.Sprintf("activity %s cannot decode its input as %s with the codec %q: %v", a.name, reflect.TypeFor[I](), env.codec.Name(), err)
	if env.logged.first(text) {
		NewActivityContext(ctx, info, env.logger).Logger().Warn("an activity fails: its recorded input cannot be decoded",
			logkey.Error, loggable(text))
	}
	return sentFinal(env.codec, &DecodeError{What: "the input of activity " + a.name, Err: err})
}

// ActivityInfo says what an activity runs for.
type ActivityInfo struct {
	// Instance, Incarnation and Execution are those of the orchestration that scheduled it; Incarnation is never
	// reused, even if the instance's id is.
	Instance    string
	Incarnation uint64
	Execution   uint64
	// Event is the id of the schedule event of this attempt, FirstEvent that of the call's first attempt.
	Event         uint64
	FirstEvent    uint64
	Orchestration string
	Version       string
	Name          string
	// Attempt is the attempt of the call's retry policy, from 1; without a policy it is 1.
	Attempt uint32
	// Delivery counts how often this attempt was handed out, from 1: it rises when a crash or a lost lease takes a run away.
	// A number above 1 says that an earlier run of this attempt may have begun. After a crash a number may be skipped.
	Delivery uint32
	// Worker names the slot that runs it.
	Worker string
	// Tag and Session are those of the call; empty if it has none.
	Tag     string
	Session string
	// Deadline is when the code must have ended, by the timeouts of the call; it is zero if none bounds it.
	Deadline time.Time
	// HeartbeatTimeout is how long the code may be silent; 0 if nothing bounds that.
	HeartbeatTimeout time.Duration
}

// IdempotencyKey is the same for every run of this call, through all attempts of its retry policy and all deliveries, and
// different from that of any other: hand it to outside systems that can refuse a repetition.
func (i ActivityInfo) IdempotencyKey() string {
	key := strconv.AppendUint(append([]byte(i.Instance), '/'), i.Incarnation, 10)
	key = strconv.AppendUint(append(key, '/'), i.Execution, 10)
	key = strconv.AppendUint(append(key, '/'), i.FirstEvent, 10)
	return string(key)
}

// ActivityContext is what an activity runs with: a context.Context that ends when the activity is cancelled, its
// lease is lost, a timeout of its call has passed or the node shuts down, and what it runs for. It is safe for concurrent use.
type ActivityContext struct {
	context.Context
	info   ActivityInfo
	logger *slog.Logger
	heart  seam.Heart // nil: a unit test made it
	codec  Codec      // of the details of heartbeats
}

// NewActivityContext makes the context of one run, for unit tests of activities. A nil logger is slog.Default.
func NewActivityContext(ctx context.Context, info ActivityInfo, logger *slog.Logger) ActivityContext {
	if logger == nil {
		logger = slog.Default()
	}
	return ActivityContext{Context: ctx, info: info, logger: logger}
}

// Info says what the activity runs for.
func (c ActivityContext) Info() ActivityInfo { return c.info }

// IdempotencyKey is [ActivityInfo.IdempotencyKey].
func (c ActivityContext) IdempotencyKey() string { return c.info.IdempotencyKey() }

// Logger logs with the activity's identity.
func (c ActivityContext) Logger() *slog.Logger {
	i := c.info
	return c.logger.With(logkey.Target, logkey.TargetActivity, logkey.Instance, i.Instance, logkey.Execution, i.Execution,
		logkey.Orchestration, i.Orchestration, logkey.Version, i.Version, logkey.Activity, i.Name,
		logkey.ActivityID, i.Event, logkey.Attempts, i.Attempt, logkey.Worker, i.Worker)
}
