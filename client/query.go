package client

import (
	"bytes"
	"context"
	"fmt"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client/api"
)

// Query asks the code of an instance with a typed input, and gives its typed answer; see [Client.Query]. A query without an
// input has struct{}:
//
//	shipped, err := client.Query[[]string](ctx, c, "order-7", "shipped", struct{}{})
func Query[O, I any](ctx context.Context, c *Client, id, name string, input I) (O, error) {
	var zero O
	data, err := turnstone.EncodeValue(c.codec, input)
	if err != nil {
		return zero, encodeQueryError(name, err)
	}
	answer, err := c.query(ctx, id, name, data)
	if err != nil {
		return zero, err
	}
	out, err := turnstone.DecodeValue[O](c.codec, answer)
	if err != nil {
		return zero, decodeQueryError(name, err)
	}
	return out, nil
}

func encodeQueryError(name string, err error) error {
	return fmt.Errorf("%w: encode the input of query %s: %w", turnstone.ErrInvalidInput, name, err)
}

func decodeQueryError(name string, err error) error {
	return &turnstone.DecodeError{What: "the answer of query " + name, Err: err}
}

// Query is the untyped form of [Query]: it asks the code of an instance, which answers with a handler that it has registered
// with [turnstone.HandleQuery]. The answer is what the variables of the code are after the last recorded turn; a turn that is
// under way is waited for. Nothing is written. An instance that is not in memory is loaded and runs again over its history.
//
// An error that the handler returned is a *turnstone.Failure, in which errors.As finds the author's own error. Otherwise
// these say why there is no answer: *turnstone.UnknownQueryError (it lists the names that the code has), ErrInstanceNotFound,
// ErrInstanceEnded, ErrHeld, ErrRecovering, ErrNoHandler, ErrQueryBlocked, ErrQueryNotReading, ErrQueryPanicked,
// ErrNondeterminism (the code does not fit the history), and as for other requests ErrBusy, ErrStopped, ErrUncertain,
// ErrDamaged and the error of ctx. None of them changes the instance.
func (c *Client) Query(ctx context.Context, id, name string, input []byte) ([]byte, error) {
	return c.query(ctx, id, name, bytes.Clone(input))
}

// query asks with an input that is the client's own.
func (c *Client) query(ctx context.Context, id, name string, input []byte) ([]byte, error) {
	a, err := ask(ctx, c.port, turnstone.ErrStopped, func(done func(api.QueryAnswer, error)) {
		c.port.Query(api.QueryRequest{ID: id, Name: name, Input: input}, done)
	})
	if err != nil {
		return nil, err
	}
	failure, err := failureOf(a.Failure, c.codec)
	if err != nil {
		return nil, err
	}
	if failure != nil {
		return nil, failure
	}
	return a.Output, nil
}

// Query asks the code of the instance, and decodes the answer into what answer points to; see [Client.Query]. The input is
// encoded as what it is. With a *turnstone.Raw the answer is left encoded.
func (r *Run[O]) Query(ctx context.Context, name string, input, answer any) error {
	data, ok := input.(turnstone.Raw)
	if !ok {
		var err error
		if data, err = r.client.codec.Encode(input); err != nil {
			return encodeQueryError(name, err)
		}
	}
	out, err := r.client.Query(ctx, r.id, name, data)
	if err != nil {
		return err
	}
	if raw, ok := answer.(*turnstone.Raw); ok {
		*raw = out
		return nil
	}
	if err := r.client.codec.Decode(out, answer); err != nil {
		return decodeQueryError(name, err)
	}
	return nil
}
