package client

import (
	"context"
	"fmt"

	"github.com/turnstone-dev/turnstone"
)

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
	data, err := turnstone.EncodeValue(c.codec, input)
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
	out, err := turnstone.DecodeValue[O](r.client.codec, end.Output)
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
	data, err := turnstone.EncodeValue(c.codec, value)
	if err != nil {
		return fmt.Errorf("%w: encode event %s: %w", turnstone.ErrInvalidInput, name, err)
	}
	return c.raise(ctx, id, name, data, options)
}
