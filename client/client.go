package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/internal/seam"
	"github.com/turnstone-dev/turnstone/persistence"
)

// author is how the author's package checks and reads.
var author = seam.Take[seam.Author[turnstone.Handler, turnstone.Codec, *turnstone.Failure]]()

// Reader reads a store: of a running node, or one that is open for reading only. It is safe for concurrent use. Every
// method ends with ctx; one that ends so says nothing about the store.
type Reader struct {
	reads reads
}

// NewReader makes a reader of a journal. A nil codec is turnstone.JSON.
func NewReader(j Journal, codec turnstone.Codec) *Reader {
	if codec == nil {
		codec = turnstone.JSON
	}
	return &Reader{reads: reads{journal: j, codec: codec}}
}

// Status tells where an instance is. An unknown id is no error: its state is NotFound. Between an acknowledged start
// and the first turn the state is Running.
func (r *Reader) Status(ctx context.Context, id string) (Status, error) {
	return ask(ctx, r.reads.journal, turnstone.ErrStopped, func(done func(Status, error)) { r.reads.Status(id, done) })
}

// Describe tells all about an instance but its history, and why it waits. An unknown id: turnstone.ErrInstanceNotFound.
func (r *Reader) Describe(ctx context.Context, id string) (Description, error) {
	return ask(ctx, r.reads.journal, turnstone.ErrStopped, func(done func(Description, error)) { r.reads.Describe(id, done) })
}

// List gives a page of instances, first those whose state changed last; with ListRequest.Held those that are held.
func (r *Reader) List(ctx context.Context, q ListRequest) (Page, error) {
	return ask(ctx, r.reads.journal, turnstone.ErrStopped, func(done func(Page, error)) { r.reads.List(q, done) })
}

// History gives the recorded turns of an execution, in order; execution 0 means the current one. An unknown id:
// turnstone.ErrInstanceNotFound. An execution that has no turn yet, or does not exist, has none.
func (r *Reader) History(ctx context.Context, id string, execution uint64) ([]Turn, error) {
	return ask(ctx, r.reads.journal, turnstone.ErrStopped, func(done func([]Turn, error)) { r.reads.History(id, execution, done) })
}

// Executions lists the executions of an instance, ascending. An unknown id: turnstone.ErrInstanceNotFound.
func (r *Reader) Executions(ctx context.Context, id string) ([]Execution, error) {
	return ask(ctx, r.reads.journal, turnstone.ErrStopped, func(done func([]Execution, error)) { r.reads.Executions(id, done) })
}

// Client talks to a running node. It is safe for concurrent use; errors are those of package turnstone.
type Client struct {
	*Reader
	core *Core
}

// New makes a client of a running node.
func New(e Engine, j Journal, o Options) *Client {
	core := NewCore(e, j, o)
	return &Client{Reader: &Reader{reads: core.reads}, core: core}
}

// RequestOption changes one request.
type RequestOption func(*request)

type request struct {
	version   string
	versioned bool
	key       string
	keyed     bool
}

// WithVersion starts this version instead of the handle's own or, if that has none, of the one that the registry's
// policy names. A text that is no semantic version is refused with a turnstone.VersionError. It concerns starts only.
func WithVersion(version string) RequestOption {
	return func(r *request) { r.version, r.versioned = version, true }
}

// WithRequestKey makes a request repeatable for 24 hours: repeated with the same instance and key, it does nothing
// again and is answered as it was the first time. Use it to ask again after turnstone.ErrUncertain. A key names one
// request to an instance: another one with the same key is turnstone.ErrRequestKeyReused. An empty key is refused.
func WithRequestKey(key string) RequestOption {
	return func(r *request) { r.key, r.keyed = key, true }
}

// requestOf refuses options that say nothing: for the core an empty text is none at all.
func requestOf(options []RequestOption) (r request, err error) {
	for _, o := range options {
		o(&r)
	}
	switch {
	case r.versioned && r.version == "":
		err = author.CheckVersion(r.version)
	case r.keyed && r.key == "":
		err = fmt.Errorf("%w: the request key is empty; leave WithRequestKey out for a request without one", turnstone.ErrInvalidInput)
	}
	return r, err
}

// StartByName starts an instance of an orchestration by name, with encoded input. It returns when the start is
// durable. That no runtime of the node has such an orchestration is no error: the answer says so, and the start is kept
// (see [Started]).
// When ctx ends first, or the node stops (turnstone.ErrUncertain), it may have been carried out. An id that is
// taken, by an instance that runs or has ended: turnstone.ErrAlreadyExists.
func (c *Client) StartByName(ctx context.Context, id, name string, input []byte, options ...RequestOption) (Started, error) {
	return c.startByName(ctx, id, name, bytes.Clone(input), options)
}

// startByName starts with an input that nobody else has.
func (c *Client) startByName(ctx context.Context, id, name string, input []byte, options []RequestOption) (Started, error) {
	r, err := requestOf(options)
	if err != nil {
		return Started{}, err
	}
	return ask(ctx, c.core.journal, turnstone.ErrUncertain, func(done func(Started, error)) {
		c.core.start(StartRequest{ID: id, Name: name, Version: r.version, Input: input, RequestKey: r.key}, done)
	})
}

// RaiseEvent raises an event with encoded data. It returns when the event is durable; when ctx ends first, or the node
// stops (turnstone.ErrUncertain), it may have been carried out. Whether anybody waits does not matter. An instance
// that has ended: turnstone.ErrInstanceEnded. An unknown id: turnstone.ErrInstanceNotFound.
func (c *Client) RaiseEvent(ctx context.Context, id, name string, data []byte, options ...RequestOption) error {
	return c.raise(ctx, id, name, bytes.Clone(data), options)
}

// raise raises with data that nobody else has.
func (c *Client) raise(ctx context.Context, id, name string, data []byte, options []RequestOption) error {
	r, err := requestOf(options)
	if err != nil {
		return err
	}
	return c.tell(ctx, func(done func(error)) { c.core.raise(id, name, data, r.key, done) })
}

// Cancel cancels an instance and, through it, its children. It returns when the request is durable; the instance ends
// as Failed with the reason soon after. That needs no code: one that is held, or whose handler is not registered, ends
// too. One that has ended: turnstone.ErrInstanceEnded. An unknown id: turnstone.ErrInstanceNotFound.
func (c *Client) Cancel(ctx context.Context, id, reason string, options ...RequestOption) error {
	r, err := requestOf(options)
	if err != nil {
		return err
	}
	return c.tell(ctx, func(done func(error)) { c.core.Cancel(id, reason, r.key, done) })
}

func (c *Client) tell(ctx context.Context, send func(done func(error))) error {
	_, err := ask(ctx, c.core.journal, turnstone.ErrUncertain, func(done func(struct{}, error)) {
		send(func(err error) { done(struct{}{}, err) })
	})
	return err
}

// Wait waits until the instance has ended, across continue-as-new, and tells how. An unknown id:
// turnstone.ErrInstanceNotFound, at once; with [WaitForStart] the wait is for its start, too. An instance that is held
// has not ended: the wait goes on; [Reader.Describe] says that it is held, and why. When ctx ends first:
// turnstone.ErrTimeout at its deadline, else its error. turnstone.ErrBusy: an instance that is not in memory had to be
// read, and too many reads wait already; wait again in a moment. turnstone.ErrDamaged: the instance is set aside, or was
// found damaged meanwhile.
func (c *Client) Wait(ctx context.Context, id string, options ...WaitOption) (End, error) {
	var cancel func()
	end, err := ask(ctx, c.core.journal, turnstone.ErrStopped, func(done func(End, error)) {
		cancel = c.core.Wait(id, done, options...)
	})
	if err != nil && cancel != nil {
		cancel()
	}
	return end, err
}

// ask waits for one answer, for ctx, or for the journal's stop. unanswered is what a stop means for a question that was
// asked and not answered: ErrUncertain for one that writes, since it may be in the log. After the stop nothing is asked.
func ask[T any](ctx context.Context, j Journal, unanswered error, question func(done func(T, error))) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, contextError(err)
	}
	select {
	case <-j.Stopped():
		return zero, stopped(j, turnstone.ErrStopped)
	default:
	}
	answers := make(chan answer, 1)
	question(func(v T, err error) { answers <- answer{v, err} })
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		return zero, contextError(ctx.Err())
	case <-j.Stopped():
	}
	select { // an answer that came with the stop is better than none
	case a := <-answers:
		return a.value, a.err
	default:
		return zero, stopped(j, unanswered)
	}
}

func contextError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", turnstone.ErrTimeout, err)
	}
	return err
}

// stopped is the error of a stop: sentinel, and why the journal stopped.
func stopped(j Journal, sentinel error) error {
	if cause := j.Cause(); cause != nil {
		return fmt.Errorf("%w: %w", sentinel, cause)
	}
	return sentinel
}

// Run is a typed handle of one instance.
type Run[O any] struct {
	client  *Client
	id      string
	started Started
}

// Start starts an instance of an orchestration, of the version that the handle was made with; of one that was made
// without, the registry's policy names the version. It returns when the start is durable. If the id is taken, by an
// instance that runs or has ended, the error is turnstone.ErrAlreadyExists and the handle is that one's: waiting for
// it gives the first run's result.
func Start[I, O any](ctx context.Context, c *Client, o *turnstone.Orchestration[I, O], id string, input I,
	options ...RequestOption) (*Run[O], error) {
	data, err := turnstone.EncodeValue(c.core.codec, input)
	if err != nil {
		return nil, fmt.Errorf("%w: encode the input of %s: %w", turnstone.ErrInvalidInput, o.Name(), err)
	}
	if version, ok := author.Pinned(o); ok {
		options = append([]RequestOption{WithVersion(version)}, options...)
	}
	started, err := c.startByName(ctx, id, o.Name(), data, options)
	return &Run[O]{client: c, id: id, started: started}, err
}

// Attach is a handle of an instance that was started elsewhere. Nothing is asked: it may not exist.
func Attach[O any](c *Client, id string) *Run[O] { return &Run[O]{client: c, id: id} }

// ID is the instance's id.
func (r *Run[O]) ID() string { return r.id }

// Started is what [Start] was answered; zero for a handle that it did not make, or made with an error.
func (r *Run[O]) Started() Started { return r.started }

// Wait waits for the result; see [Client.Wait]. An instance that failed gives a *turnstone.Failure, in which errors.As
// finds the author's own error.
func (r *Run[O]) Wait(ctx context.Context, options ...WaitOption) (O, error) {
	var zero O
	end, err := r.client.Wait(ctx, r.id, options...)
	if err != nil {
		return zero, err
	}
	if err := end.Err(); err != nil {
		return zero, err
	}
	out, err := turnstone.DecodeValue[O](r.client.core.codec, end.Output)
	if err != nil {
		return zero, fmt.Errorf("%w: decode the result of instance %q: %w", turnstone.ErrInvalidInput, r.id, err)
	}
	return out, nil
}

// Cancel cancels the instance; see [Client.Cancel].
func (r *Run[O]) Cancel(ctx context.Context, reason string, options ...RequestOption) error {
	return r.client.Cancel(ctx, r.id, reason, options...)
}

// Status tells where the instance is.
func (r *Run[O]) Status(ctx context.Context) (Status, error) { return r.client.Status(ctx, r.id) }

// Raise raises an event with a typed value; see [Client.RaiseEvent].
func Raise[T any](ctx context.Context, c *Client, id, name string, value T, options ...RequestOption) error {
	data, err := turnstone.EncodeValue(c.core.codec, value)
	if err != nil {
		return fmt.Errorf("%w: encode event %s: %w", turnstone.ErrInvalidInput, name, err)
	}
	return c.raise(ctx, id, name, data, options)
}

var _ Journal = persistence.Journal(nil)
