package turnstone

import (
	"bytes"
	"context"
	"fmt"

	"github.com/turnstone-dev/turnstone/internal/seam"
)

// Heartbeat says that the activity is alive and how far it has come. Call it as often as there is progress: a call costs
// little, because details are recorded at most three times in a [HeartbeatTimeout] (without one, every third of the time that a
// lease lasts). What was recorded survives a crash, and the newest details of an attempt that fails or times out are recorded
// with its failure. The next run or attempt reads them with [LastHeartbeat]. nil has no details, and nothing is recorded for it.
//
// The error is why the activity must stop, if its context has ended: return it. Details that cannot be encoded are an
// [ErrInvalidInput], and those over Limits.HeartbeatBytes a [LimitError]. An activity that returns one of these fails with the
// kind "Codec" or "Limit", and no policy retries it.
func (c ActivityContext) Heartbeat(details any) error {
	if c.heart == nil { // of a unit test
		if c.Err() != nil {
			return context.Cause(c)
		}
		return nil
	}
	data, err := c.encodeDetails(details)
	if err != nil {
		final := &Error{Kind: kindCodec, Message: err.Error(), NonRetryable: true}
		return fmt.Errorf("%w: the details of a heartbeat of activity %s cannot be encoded: %w", ErrInvalidInput, c.info.Name, final)
	}
	return overLimit(c.heart.Beat(data))
}

// encodeDetails returns bytes that no other code holds.
func (c ActivityContext) encodeDetails(details any) ([]byte, error) {
	switch d := details.(type) {
	case nil:
		return nil, nil
	case Raw:
		return bytes.Clone(d), nil
	default:
		data, err := c.codec.Encode(d)
		return own[any](c.codec, data), err
	}
}

// LastHeartbeat returns the details of the last heartbeat that an earlier run of this activity or an earlier attempt of its
// call left. ok is false if none did, or if they are not a T. Details as a [Raw] are the bytes that were recorded.
func LastHeartbeat[T any](ctx ActivityContext) (details T, ok bool) {
	if ctx.heart == nil {
		return details, false
	}
	data := ctx.heart.Before()
	if len(data) == 0 {
		return details, false
	}
	details, err := DecodeValue[T](ctx.codec, data)
	return details, err == nil
}

// beating is the context of a run that a node makes.
func beating(ctx context.Context, info ActivityInfo, heart seam.Heart, env *environment) ActivityContext {
	c := NewActivityContext(ctx, info, env.logger)
	c.heart, c.codec = heart, env.codec
	return c
}
