package client

import "context"

type contextKey struct{}

// NewContext returns a context that has a client, for [FromContext]. A node does that for the contexts of its activities; call
// it in unit tests of activities that use a client.
func NewContext(ctx context.Context, c *Client) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// FromContext returns the client of the node that runs the activity whose context this is. ok is false for a context that no
// node made. Orchestration code has no such context: what it asks a client would be asked again at each replay.
func FromContext(ctx context.Context) (c *Client, ok bool) {
	c, ok = ctx.Value(contextKey{}).(*Client)
	return c, ok
}
