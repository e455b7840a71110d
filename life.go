package turnstone

import (
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/replay"
)

// life are the times of life that a start gives.
type life struct{ delay, timeout time.Duration }

// check refuses what cannot be meant.
func (l *life) check() error {
	if l.delay < 0 {
		return fmt.Errorf("%w: the start delay is %s; it must not be negative", ErrInvalidInput, l.delay)
	}
	if l.timeout < 0 {
		return fmt.Errorf("%w: the execution timeout is %s; it must not be negative, and 0 is none", ErrInvalidInput, l.timeout)
	}
	return nil
}

func (l *life) recorded() replay.Life {
	return replay.Life{DelayMs: roundedUp(l.delay), TimeoutMs: roundedUp(l.timeout)}
}

// roundedUp is a duration in milliseconds; a shorter one than a millisecond is one.
func roundedUp(d time.Duration) int64 {
	ms := int64(d / time.Millisecond)
	if d%time.Millisecond > 0 {
		ms++
	}
	return ms
}

// StartDelayOption is what [WithStartDelay] makes.
type StartDelayOption struct{ delay time.Duration }

// WithStartDelay has a child or a detached orchestration wait before its first turn, durably: the time counts from the turn
// that starts it. Until then it exists and is Pending: it takes events, and a cancel ends it at once without running its
// code. 0 is no delay; a negative one is an [ErrInvalidInput].
func WithStartDelay(d time.Duration) StartDelayOption { return StartDelayOption{d} }

func (o StartDelayOption) child(c *childCall)       { c.life.delay = o.delay }
func (o StartDelayOption) detached(c *detachedCall) { c.life.delay = o.delay }

// ExecutionTimeoutOption is what [WithExecutionTimeout] makes.
type ExecutionTimeoutOption struct{ timeout time.Duration }

// WithExecutionTimeout bounds how long an execution of a child or a detached orchestration may take, from its first turn on;
// a start delay does not count. One that takes longer fails with [ErrExecutionTimeout], and its children are cancelled as at
// any failure, those that are waited for too. After a continue-as-new the next execution has the same time again. 0 is no
// bound; a negative one is an [ErrInvalidInput].
func WithExecutionTimeout(d time.Duration) ExecutionTimeoutOption { return ExecutionTimeoutOption{d} }

func (o ExecutionTimeoutOption) child(c *childCall)       { c.life.timeout = o.timeout }
func (o ExecutionTimeoutOption) detached(c *detachedCall) { c.life.timeout = o.timeout }
