package client

import (
	"context"

	"github.com/turnstone-dev/turnstone/client/api"
)

// Terminate ends an instance as Failed, with a failure that matches turnstone.ErrTerminated and has the reason. None of
// its code runs, so it also ends one that is held, or whose handler is not registered. Its children are cancelled as at
// a cancel, its activities are told to stop, its timers go, a turn that runs is not recorded, and its parent gets the
// failure. It returns when the end is durable.
//
// The reason may be empty; it has at most Limits.ReasonBytes bytes (4,096), or the error is a *turnstone.LimitError.
// An unknown id: turnstone.ErrInstanceNotFound. One that has ended: turnstone.ErrInstanceEnded, unless [WithRequestKey]
// names the request that ended it: that is answered as it was then. turnstone.ErrBusy: nothing was written, ask again in
// a moment. When ctx ends first, or the node stops (turnstone.ErrUncertain), it may have been carried out: ask again,
// with the same request key.
func (c *Client) Terminate(ctx context.Context, id, reason string, options ...RequestOption) error {
	r, err := requestOf(options)
	if err != nil {
		return err
	}
	return c.tell(ctx, func(done func(error)) {
		c.port.Terminate(api.TerminateRequest{ID: id, Reason: reason, RequestKey: r.key}, done)
	})
}

// Release has a held instance tried again at once, with the code that is registered now, and resets its number of tries. It
// returns when that is durable; if the code still does not fit, the instance is held again soon after. For an instance that
// is not held it changes nothing and returns no error. So it needs no request key: a repetition is harmless.
//
// An unknown id: turnstone.ErrInstanceNotFound. One that has ended: turnstone.ErrInstanceEnded. turnstone.ErrBusy:
// nothing was written, ask again in a moment. When ctx ends first, or the node stops (turnstone.ErrUncertain), it may
// have been carried out: ask again.
func (c *Client) Release(ctx context.Context, id string) error {
	return c.tell(ctx, func(done func(error)) { c.port.Release(api.ReleaseRequest{ID: id}, done) })
}
