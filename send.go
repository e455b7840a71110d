package turnstone

import (
	"fmt"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// Raise raises an event at another instance by its id, with a typed value, as a client would. The future resolves when the
// event is in the receiver's inbox, exactly once. Its error is [ErrInstanceNotFound] if there is no such instance,
// [ErrInstanceEnded] if it has ended, and [ErrBusy] if its inbox is full. What is sent cannot be taken back: it is delivered
// also if the future is cancelled, or the execution ends first. What one instance sends to another one arrives in order.
func Raise[T any](ctx *Context, instance, name string, value T) *Future[struct{}] {
	return ctx.Raise(instance, name, encodeFor(ctx, "event "+name, value))
}

// Enqueue puts a typed value into a queue of another instance by its id; see [Raise].
func Enqueue[T any](ctx *Context, instance, queue string, value T) *Future[struct{}] {
	return ctx.Enqueue(instance, queue, encodeFor(ctx, "a message of queue "+queue, value))
}

// Raise is the untyped form of [Raise], with encoded data.
func (c *Context) Raise(instance, name string, data []byte) *Future[struct{}] {
	return c.sent(c.rc.Raise(instance, name, data))
}

// Enqueue is the untyped form of [Enqueue], with encoded data.
func (c *Context) Enqueue(instance, queue string, data []byte) *Future[struct{}] {
	return c.sent(c.rc.Enqueue(instance, queue, data))
}

func (c *Context) sent(rf *replay.Future) *Future[struct{}] {
	return &Future[struct{}]{rf: rf, codec: c.env.codec, read: func(any) (struct{}, error) { return struct{}{}, nil }}
}

// unsent turns what the replay core says of a send that reached no one into what the author sees.
func unsent(e *replay.SendError) error {
	switch e.Outcome {
	case turnpb.SendOutcome_SEND_OUTCOME_ENDED:
		return fmt.Errorf("%w: instance %q", ErrInstanceEnded, e.Instance)
	case turnpb.SendOutcome_SEND_OUTCOME_BUSY:
		return fmt.Errorf("%w: the inbox of instance %q is full", ErrBusy, e.Instance)
	default:
		return fmt.Errorf("%w: instance %q", ErrInstanceNotFound, e.Instance)
	}
}
