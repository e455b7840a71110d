package client

import (
	"bytes"
	"context"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client/api"
)

// Client talks to a node. It is safe for concurrent use; errors are those of package turnstone.
type Client struct {
	*Reader
	port api.Port
}

// New makes a client that asks through a port. codec encodes and decodes typed values; it must be that of the registries
// whose handlers run. A nil codec is turnstone.JSON.
func New(p api.Port, codec turnstone.Codec) *Client {
	return &Client{Reader: NewReader(p, codec), port: p}
}

// Started is the answer to a start that was accepted.
type Started struct {
	// Repeated: a request with this id and request key was accepted before. Nothing was written for this one.
	Repeated bool
	// NoHandler: no runtime that is attached to the node has this orchestration, or not in this version. The start is
	// durable. While runtimes are attached that lack it, the instance is tried with backoff; after Config.MaxAttempts
	// tries, about 5 minutes with the defaults, it fails for good as turnstone.ErrPoisoned. Look for a mistyped name, or
	// for a registration that is missing.
	NoHandler bool
}

// Start is the untyped form of [Start]: it starts an instance of the orchestration of this name, with encoded input. It
// returns when the start is durable. That no runtime of the node has such an orchestration is no error: the answer says
// so, and the start is kept (see [Started]). When ctx ends first, or the node stops (turnstone.ErrUncertain), it may have
// been carried out. An id that is taken, by an instance that runs or has ended: turnstone.ErrAlreadyExists.
func (c *Client) Start(ctx context.Context, id, name string, input []byte, options ...StartOption) (Started, error) {
	return c.start(ctx, id, name, bytes.Clone(input), options)
}

// start starts with an input that is the client's own.
func (c *Client) start(ctx context.Context, id, name string, input []byte, options []StartOption) (Started, error) {
	r, err := requestOf(options)
	if err != nil {
		return Started{}, err
	}
	started, err := ask(ctx, c.port, turnstone.ErrUncertain, func(done func(api.Started, error)) {
		c.port.Start(api.StartRequest{ID: id, Name: name, Version: r.version, Input: input, RequestKey: r.key,
			DelayMs: milliseconds(r.delay), ExecutionTimeoutMs: milliseconds(r.timeout)}, done)
	})
	return Started(started), err
}

// Raise is the untyped form of [Raise]: it raises an event with encoded data. It returns when the event is durable; when
// ctx ends first, or the node stops (turnstone.ErrUncertain), it may have been carried out. It does not matter whether the
// instance waits for the event. One that has ended: turnstone.ErrInstanceEnded. An unknown id:
// turnstone.ErrInstanceNotFound.
func (c *Client) Raise(ctx context.Context, id, name string, data []byte, options ...RequestOption) error {
	return c.raise(ctx, id, name, bytes.Clone(data), options)
}

// raise raises with data that is the client's own.
func (c *Client) raise(ctx context.Context, id, name string, data []byte, options []RequestOption) error {
	r, err := requestOf(options)
	if err != nil {
		return err
	}
	return c.tell(ctx, func(done func(error)) {
		c.port.Raise(api.RaiseRequest{ID: id, Name: name, Data: data, RequestKey: r.key}, done)
	})
}

// Enqueue is the untyped form of [Enqueue]: it puts encoded data into a queue of an instance. It returns when the message is
// durable, and answers as [Client.Raise] does. It does not matter whether the instance waits for a message: the queue keeps
// it until the code takes it, in order.
func (c *Client) Enqueue(ctx context.Context, id, queue string, data []byte, options ...RequestOption) error {
	return c.enqueue(ctx, id, queue, bytes.Clone(data), options)
}

// enqueue enqueues data that is the client's own.
func (c *Client) enqueue(ctx context.Context, id, queue string, data []byte, options []RequestOption) error {
	r, err := requestOf(options)
	if err != nil {
		return err
	}
	return c.tell(ctx, func(done func(error)) {
		c.port.Enqueue(api.EnqueueRequest{ID: id, Queue: queue, Data: data, RequestKey: r.key}, done)
	})
}

// Cancel cancels an instance and, through it, its children. It returns when the request is durable; the instance ends
// as Failed with the reason soon after. That needs no code: one that is held, or whose handler is not registered, ends
// too; but one that has undo steps stays held, and ends when code that fits has run them. One that has ended: turnstone.ErrInstanceEnded. An unknown id: turnstone.ErrInstanceNotFound.
func (c *Client) Cancel(ctx context.Context, id, reason string, options ...RequestOption) error {
	r, err := requestOf(options)
	if err != nil {
		return err
	}
	return c.tell(ctx, func(done func(error)) {
		c.port.Cancel(api.CancelRequest{ID: id, Reason: reason, RequestKey: r.key}, done)
	})
}

func (c *Client) tell(ctx context.Context, send func(done func(error))) error {
	_, err := ask(ctx, c.port, turnstone.ErrUncertain, func(done func(struct{}, error)) {
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
	r := api.WaitRequest{ID: id}
	for _, option := range options {
		option.wait(&r)
	}
	var cancel func()
	end, err := ask(ctx, c.port, turnstone.ErrStopped, func(done func(api.End, error)) {
		cancel = c.port.Wait(r, done)
	})
	if err != nil {
		if cancel != nil {
			cancel()
		}
		return End{}, err
	}
	return endOf(&end, c.codec)
}
