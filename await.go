package turnstone

// AwaitInstance waits for the end of any other instance by its id, and gives its output as an O: that of its last execution, so
// an instance that continues as new has not ended. One that has ended already answers at once. Its error is
// a [*Failure] if the other one has failed or was cancelled, whatever the failure is: it is never that of this instance. It is
// [ErrInstanceNotFound] if there is no such instance, or if it is deleted before this one is told. A wait that is given up, by
// Cancel, [Race] or the end of the execution, ends. An instance that waits for its own end panics. Two that wait for each other
// wait until one of them is cancelled.
func AwaitInstance[O any](ctx *Context, id string) *Future[O] {
	return arrival[O](ctx, "the output of instance "+id, ctx.rc.AwaitInstance(id))
}

// AwaitInstance is the untyped form of [AwaitInstance]: it gives the encoded output.
func (c *Context) AwaitInstance(id string) *Future[[]byte] {
	return rawFuture(c, c.rc.AwaitInstance(id))
}
