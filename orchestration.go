package turnstone

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/replay"
)

// Orchestration is a typed handle of an orchestration: its name, its version, and the function that runs it. Make it
// with [NewOrchestration], usually as a package variable.
type Orchestration[I, O any] struct {
	name    string
	version versionChoice
	run     func(ctx *Context, input I) (O, error)
	// strictInputs: see StrictInputs.
	strictInputs bool
	// mayEndEarly: see MayEndEarly.
	mayEndEarly bool
	cleanup     *cleanupStep // nil: without
}

// DefaultVersion is the version of a handler that names none.
const DefaultVersion = "1.0.0"

// NewOrchestration names an orchestration. Name and version are stored in histories: keep them stable, and register
// a changed function under a higher version as long as executions of the old one run. run must be deterministic.
func NewOrchestration[I, O any](name string, run func(ctx *Context, input I) (O, error),
	options ...OrchestrationOption) *Orchestration[I, O] {
	var spec orchestrationSpec
	for _, o := range options {
		o.orchestration(&spec)
	}
	return &Orchestration[I, O]{name: name, version: spec.version, run: run, strictInputs: spec.strictInputs, mayEndEarly: spec.mayEndEarly,
		cleanup: spec.cleanup}
}

// Name is the orchestration's registered name.
func (o *Orchestration[I, O]) Name() string { return o.name }

// Version is the version that it is registered as. That of a reference is the one that it starts, and empty if it was made
// without.
func (o *Orchestration[I, O]) Version() string {
	if o.version.made || o.run == nil {
		return o.version.text
	}
	return DefaultVersion
}

// pinned returns the version that starts through this handle ask for: the one that it was made with. ok is false for a
// handle that was made without; the registry's policy decides then.
func (o *Orchestration[I, O]) pinned() (version string, ok bool) {
	return o.version.text, o.version.made
}

// Call runs the orchestration as a child and waits for it. The error is a [*Failure] if the child failed. Which
// version runs is for [WithVersion] to say, here or where the handle was made, and otherwise for the registry's policy.
func (o *Orchestration[I, O]) Call(ctx *Context, input I, options ...ChildOption) (O, error) {
	return o.Start(ctx, input, options...).Await()
}

// Start runs the orchestration as a child and returns a future of its result.
func (o *Orchestration[I, O]) Start(ctx *Context, input I, options ...ChildOption) *Future[O] {
	data := encodeFor(ctx, "the input of orchestration "+o.name, input)
	return result[O](ctx, "the result of orchestration "+o.name, ctx.startChild(o.name, o.version, data, options))
}

// StartDetached starts the orchestration under an instance id, with no tie to this one: it is not waited for and not
// cancelled. If the id is taken, nothing happens.
func (o *Orchestration[I, O]) StartDetached(ctx *Context, instance string, input I, options ...DetachedOption) {
	ctx.startDetached(o.name, o.version, instance, encodeFor(ctx, "the input of orchestration "+o.name, input), options)
}

// CallChild runs a child by name, with encoded input, and waits for its encoded result.
func (c *Context) CallChild(name string, input []byte, options ...ChildOption) ([]byte, error) {
	return c.StartChild(name, input, options...).Await()
}

// StartChild runs a child by name, with encoded input, and returns a future of its encoded result.
func (c *Context) StartChild(name string, input []byte, options ...ChildOption) *Future[[]byte] {
	return rawFuture(c, c.startChild(name, versionChoice{}, input, options))
}

// StartDetached starts an orchestration by name, with encoded input, under an instance id and with no tie to this one.
// A version that is no semantic version is a programmer's error: it panics with a [VersionError]; so is a negative duration.
func (c *Context) StartDetached(name, instance string, input []byte, options ...DetachedOption) {
	c.startDetached(name, versionChoice{}, instance, input, options)
}

func (c *Context) startDetached(name string, version versionChoice, instance string, input []byte, options []DetachedOption) {
	call := detachedCall{version: version}
	for _, o := range options {
		o.detached(&call)
	}
	c.rc.Check() // a panic on a goroutine of the author's would end the process
	if err := call.check(); err != nil {
		panic(fmt.Errorf("start of orchestration %s: %w", name, err))
	}
	c.rc.Detached(name, instance, input, replay.DetachedOptions{Version: call.version.text, Life: call.life.recorded()})
}

func (c *Context) startChild(name string, version versionChoice, input []byte, options []ChildOption) *replay.Future {
	call := childCall{version: version}
	for _, o := range options {
		o.child(&call)
	}
	if err := call.check(); err != nil {
		return c.refused(fmt.Errorf("start of orchestration %s: %w", name, err))
	}
	o := replay.ChildOptions{ID: call.id, Version: call.version.text, Policy: call.policy.recorded(), Life: call.life.recorded()}
	if call.retry == nil {
		return c.rc.Child(name, input, o)
	}
	kept := bytes.Clone(input) // the attempts come later, and the caller may change its bytes by then
	r := retries{what: "orchestration " + name, policy: *call.retry}
	return c.retried(r, func(rc *replay.Context, a attempt) *replay.Future {
		o.Attempt = a.number
		return rc.Child(name, kept, o)
	})
}

// ErrContinued is what [ContinueAsNew] returns, to be returned by the handler.
var ErrContinued = errors.New("continued as new")

// ContinueAsNew ends this execution and begins the next one of the same instance with a fresh history and a new
// input. Events that no wait has taken are carried over. The execution ends at the end of the turn, whatever the
// handler returns; to return at once:
//
//	return 0, turnstone.ContinueAsNew(ctx, next)
//
// Everything that is still open is cancelled, children under their policy. Which version runs next is for the
// registry's policy to say, unless [WithVersion] does. With a version that is no semantic version the execution does not
// continue: the error is a [VersionError].
func ContinueAsNew[I any](ctx *Context, input I, options ...ContinueOption) error {
	return ctx.ContinueAsNew(encodeFor(ctx, "the input of the next execution", input), options...)
}

// ContinueAsNew is the untyped form of [ContinueAsNew], with encoded input.
func (c *Context) ContinueAsNew(input []byte, options ...ContinueOption) error {
	var call continueCall
	for _, o := range options {
		o.continued(&call)
	}
	c.rc.Check()
	if err := call.version.check(); err != nil {
		return fmt.Errorf("continue as new: %w", err)
	}
	c.rc.ContinueAsNew(input, call.version.text)
	return ErrContinued
}

// WaitEvent waits for an event of this name that a client raises. By default an event that came early is kept and
// delivered to the next wait of its name; with [Positional] it is lost. Waits of one name are served in order. The future fails
// with a [*DecodeError] if the event's data is not a T, and a warning is logged.
func WaitEvent[T any](ctx *Context, name string, options ...WaitOption) *Future[T] {
	return arrival[T](ctx, "event "+name, ctx.waitEvent(name, options))
}

// WaitEvent is the untyped form of [WaitEvent]: its future is the event's encoded data.
func (c *Context) WaitEvent(name string, options ...WaitOption) *Future[[]byte] {
	return rawFuture(c, c.waitEvent(name, options))
}

func (c *Context) waitEvent(name string, options []WaitOption) *replay.Future {
	mode, err := waitMode(options)
	if err != nil {
		return c.refused(fmt.Errorf("wait for event %s: %w", name, err))
	}
	return c.rc.WaitEvent(name, mode)
}

// startedEvent is the event that has the input of an execution.
const startedEvent = 1

func (o *Orchestration[I, O]) handler(env *environment) replay.Func {
	return func(rc *replay.Context, input []byte) ([]byte, error) {
		if o.strictInputs {
			rc.StrictInputs()
		}
		if o.mayEndEarly {
			rc.MayEndEarly()
		}
		if o.cleanup != nil {
			o.cleanup.add(env, rc)
		}
		in, err := DecodeValue[I](env.codec, input)
		if err != nil {
			rc.Undecodable(startedEvent, recorded[I](env.codec, "the input of orchestration "+o.name, input), err)
		}
		out, err := o.run(fresh(rc, env), in)
		if err != nil {
			return nil, sentByCode(env.codec, err)
		}
		data, err := EncodeValue(env.codec, out)
		if err != nil {
			return nil, sentFinal(env.codec, fmt.Errorf("cannot encode the result of orchestration %s: %w", o.name, err))
		}
		return data, nil
	}
}
