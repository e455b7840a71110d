package turnstone

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// RetryPolicy says how often a failed activity or child is tried again, and how long to wait in between. The zero
// value is the default policy: 3 attempts, exponential backoff from 100 ms, doubling, at most 30 s, no timeout.
//
// Waiting is a durable timer, visible in history, and survives restarts. A failure that is not [Failure.Retryable] ends
// the retries at once: an [Error] with NonRetryable set, a cancellation, a termination, a panic of a child, an id that is
// taken, and what cannot change from one attempt to the next (an input that cannot be decoded, a result that cannot be
// encoded or is over its limit).
type RetryPolicy struct {
	attempts int // 0: the default
	backoff  Backoff
	race     time.Duration
	hasRace  bool
	total    time.Duration // 0: no bound
	endKinds []string
}

const defaultAttempts = 3

// NewRetryPolicy is a policy of maxAttempts tries, the first included, with the default backoff and no timeout. It
// panics if maxAttempts is below 1.
func NewRetryPolicy(maxAttempts int) RetryPolicy {
	if maxAttempts < 1 {
		panic("turnstone: max_attempts must be at least 1")
	}
	return RetryPolicy{attempts: maxAttempts}
}

// WithBackoff replaces the backoff.
func (p RetryPolicy) WithBackoff(b Backoff) RetryPolicy {
	p.backoff = b
	return p
}

// WithRaceTimeout races each attempt with a durable timer, which is counted from the attempt's scheduling and visible in the
// history. When the timer wins, the attempt is cancelled and the retries end at once with [ErrActivityTimeout]. 0 is a timeout
// that has passed as soon as the attempt has begun. It panics if perAttempt is negative. For activities, [StartToClose] and the
// other timeouts of a call cost no timer, and say more.
func (p RetryPolicy) WithRaceTimeout(perAttempt time.Duration) RetryPolicy {
	notNegative("timeout", perAttempt)
	p.race, p.hasRace = perAttempt, true
	return p
}

// WithTotalTime lets no attempt begin later than so long after the first one: the call then fails with what the last attempt
// failed with, without waiting. An attempt that runs is not ended; see [ScheduleToClose] for that. It panics if total is not
// above 0.
func (p RetryPolicy) WithTotalTime(total time.Duration) RetryPolicy {
	if total <= 0 {
		panic(fmt.Sprintf("turnstone: the total time of a retry policy is %v; it must be above 0", total))
	}
	p.total = total
	return p
}

// WithoutRetryOf ends the retries at once when an attempt fails with an [Error] of one of these kinds; called again, it
// adds kinds.
func (p RetryPolicy) WithoutRetryOf(kinds ...string) RetryPolicy {
	p.endKinds = append(slices.Clone(p.endKinds), kinds...)
	return p
}

// MaxAttempts is how often the work is tried, the first try included.
func (p RetryPolicy) MaxAttempts() int {
	if p.attempts == 0 {
		return defaultAttempts
	}
	return p.attempts
}

// RaceTimeout is the timer that each attempt is raced with; ok is false if there is none.
func (p RetryPolicy) RaceTimeout() (d time.Duration, ok bool) { return p.race, p.hasRace }

// TotalTime is how long after the first attempt another may begin; ok is false if there is no bound.
func (p RetryPolicy) TotalTime() (d time.Duration, ok bool) { return p.total, p.total > 0 }

// Delay is how long to wait after the failed attempt with this number, counted from 1; with jitter it is the longest.
func (p RetryPolicy) Delay(failed int) time.Duration { return p.backoff.Delay(failed) }

// final reports whether trying again after err is pointless.
func (p RetryPolicy) final(err error) bool {
	var f *Failure
	if errors.As(err, &f) && !f.Retryable {
		return true
	}
	var e *Error
	return errors.As(err, &e) && (e.NonRetryable || slices.Contains(p.endKinds, e.Kind))
}
