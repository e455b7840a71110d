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
func Start[I, O any](ctx context.Context, c *Client, id string, o *turnstone.Orchestration[I, O], input I,
	options ...StartOption) (*Run[O], error) {
	data, err := turnstone.EncodeValue(c.codec, input)
	if err != nil {
		return nil, fmt.Errorf("%w: encode the input of %s: %w", turnstone.ErrInvalidInput, o.Name(), err)
	}
	if version, ok := author.Pinned(o); ok {
		options = append([]StartOption{WithVersion(version)}, options...)
	}
	started, err := c.start(ctx, id, o.Name(), data, options)
	return &Run[O]{client: c, id: id, started: started}, err
}

// Raise raises an event with a typed value; see [Client.Raise].
func Raise[T any](ctx context.Context, c *Client, id, name string, value T, options ...RequestOption) error {
	data, err := turnstone.EncodeValue(c.codec, value)
	if err != nil {
		return encodeEventError(name, err)
	}
	return c.raise(ctx, id, name, data, options)
}

func encodeEventError(name string, err error) error {
	return fmt.Errorf("%w: encode event %s: %w", turnstone.ErrInvalidInput, name, err)
}

// Enqueue puts a typed value into a queue; see [Client.Enqueue].
func Enqueue[T any](ctx context.Context, c *Client, id, queue string, value T, options ...RequestOption) error {
	data, err := turnstone.EncodeValue(c.codec, value)
	if err != nil {
		return encodeMessageError(queue, err)
	}
	return c.enqueue(ctx, id, queue, data, options)
}

func encodeMessageError(queue string, err error) error {
	return fmt.Errorf("%w: encode a message of queue %s: %w", turnstone.ErrInvalidInput, queue, err)
}

// Attach returns a handle of an instance that was started elsewhere. It asks the node nothing: the instance may not exist.
func Attach[O any](c *Client, id string) *Run[O] { return &Run[O]{client: c, id: id} }

// ID is the instance's id.
func (r *Run[O]) ID() string { return r.id }

// Started returns the answer to [Start]; zero for a handle that it did not make, or returned with an error.
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

// Raise raises an event; see [Client.Raise]. The value is encoded as what it is.
func (r *Run[O]) Raise(ctx context.Context, name string, value any, options ...RequestOption) error {
	if raw, ok := value.(turnstone.Raw); ok {
		return r.client.Raise(ctx, r.id, name, raw, options...)
	}
	data, err := r.client.codec.Encode(value)
	if err != nil {
		return encodeEventError(name, err)
	}
	return r.client.Raise(ctx, r.id, name, data, options...)
}

// Enqueue puts a message into a queue; see [Client.Enqueue]. The value is encoded as what it is.
func (r *Run[O]) Enqueue(ctx context.Context, queue string, value any, options ...RequestOption) error {
	if raw, ok := value.(turnstone.Raw); ok {
		return r.client.Enqueue(ctx, r.id, queue, raw, options...)
	}
	data, err := r.client.codec.Encode(value)
	if err != nil {
		return encodeMessageError(queue, err)
	}
	return r.client.Enqueue(ctx, r.id, queue, data, options...)
}

// Cancel cancels the instance; see [Client.Cancel].
func (r *Run[O]) Cancel(ctx context.Context, reason string, options ...RequestOption) error {
	return r.client.Cancel(ctx, r.id, reason, options...)
}

// Terminate ends the instance without its code; see [Client.Terminate].
func (r *Run[O]) Terminate(ctx context.Context, reason string, options ...RequestOption) error {
	return r.client.Terminate(ctx, r.id, reason, options...)
}

// Release has the instance tried again if it is held; see [Client.Release].
func (r *Run[O]) Release(ctx context.Context) error { return r.client.Release(ctx, r.id) }

// Status tells where the instance is.
func (r *Run[O]) Status(ctx context.Context) (Status, error) { return r.client.Status(ctx, r.id) }
