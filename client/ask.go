package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client/api"
)

// ask waits for one answer, for ctx, or for the port's stop. unanswered is the error of a question that a stop leaves without
// an answer: ErrUncertain for one that writes, since it may be in the log. After the stop nothing is asked.
func ask[T any](ctx context.Context, p api.Reader, unanswered error, question func(done func(T, error))) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, contextError(err)
	}
	select {
	case <-p.Stopped():
		return zero, stopped(p, turnstone.ErrStopped)
	default:
	}
	answers := make(chan answer, 1)
	question(func(v T, err error) { answers <- answer{v, err} })
	select {
	case a := <-answers:
		return a.value, clientError(a.err)
	case <-ctx.Done():
		return zero, contextError(ctx.Err())
	case <-p.Stopped():
	}
	select { // an answer that came with the stop is better than none
	case a := <-answers:
		return a.value, clientError(a.err)
	default:
		return zero, stopped(p, unanswered)
	}
}

func contextError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", turnstone.ErrTimeout, err)
	}
	return err
}

// stopped is the error of a stop: sentinel, and why the port stopped.
func stopped(p api.Reader, sentinel error) error {
	if cause := p.Cause(); cause != nil {
		return fmt.Errorf("%w: %w", sentinel, cause)
	}
	return sentinel
}

// sentinels are the errors that callers branch on.
var sentinels = map[api.Code]error{
	api.AlreadyExists: turnstone.ErrAlreadyExists, api.NotFound: turnstone.ErrInstanceNotFound, api.Ended: turnstone.ErrInstanceEnded,
	api.KeyReused: turnstone.ErrRequestKeyReused, api.Busy: turnstone.ErrBusy, api.Uncertain: turnstone.ErrUncertain,
	api.Stopped: turnstone.ErrStopped, api.Damaged: turnstone.ErrDamaged, api.Invalid: turnstone.ErrInvalidInput,
	api.QueryBlocked: turnstone.ErrQueryBlocked, api.QueryNotReading: turnstone.ErrQueryNotReading,
	api.QueryPanicked: turnstone.ErrQueryPanicked, api.Nondeterministic: turnstone.ErrNondeterminism, api.InstanceHeld: turnstone.ErrHeld,
	api.Recovering: turnstone.ErrRecovering, api.NoHandler: turnstone.ErrNoHandler,
}

// clientError turns the error of an answer into one that callers can name.
func clientError(err error) error {
	if err == nil {
		return nil
	}
	var e *api.Error
	if !errors.As(err, &e) {
		return err
	}
	named := sentinels[e.Code]
	switch e.Code {
	case api.LimitExceeded:
		named = &turnstone.LimitError{Limit: e.Subject, Size: e.Size, Max: e.Max, Field: e.Field}
	case api.InvalidVersion:
		named = &turnstone.VersionError{Text: e.Subject}
	case api.UnknownQuery:
		named = &turnstone.UnknownQueryError{Query: e.Subject, Known: e.Known}
	}
	if named == nil {
		return err
	}
	return &answered{named: named, answer: e}
}

// answered has the text of the answer, and also wraps the error that callers branch on.
type answered struct {
	named  error
	answer *api.Error
}

func (a *answered) Error() string { return a.answer.Error() }

func (a *answered) Unwrap() []error { return []error{a.named, a.answer} }
