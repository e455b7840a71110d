package turnstone

// Dequeue takes the next message of a queue of this instance, and waits for one if there is none. Clients put messages there
// (client.Enqueue). A queue keeps what comes, whether the code waits or not, and gives it in order, each message once. Waits
// of one queue are served in the order in which they were made; one that is cancelled takes nothing, and its message goes to
// the next. What no wait has taken is carried into the next execution. Queues and events have names of
// their own. The future fails with a [*DecodeError] if the message is not a T, and a warning is logged.
func Dequeue[T any](ctx *Context, queue string) *Future[T] {
	return arrival[T](ctx, "a message of queue "+queue, ctx.rc.Dequeue(queue))
}

// Dequeue is the untyped form of [Dequeue]: its future is the message's encoded data.
func (c *Context) Dequeue(queue string) *Future[[]byte] {
	return rawFuture(c, c.rc.Dequeue(queue))
}
