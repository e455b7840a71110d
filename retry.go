package turnstone

import (
	"math"
	"time"
)

// RetryPolicy says how often a failed activity or child is tried again, and how long to wait in between. The zero
// value is the default policy: 3 attempts, exponential backoff from 100 ms, doubling, at most 30 s, no timeout.
//
// Waiting is a durable timer, visible in history, and survives restarts. An [Error] with NonRetryable set, and a
// cancellation, end the retries at once.
type RetryPolicy struct {
	attempts   int // 0: the default
	backoff    Backoff
	timeout    time.Duration
	hasTimeout bool
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

// WithTimeout bounds each attempt. When it passes, the attempt is cancelled and the retries end at once with
// [ErrActivityTimeout]. 0 is a timeout that has passed as soon as the attempt has begun.
func (p RetryPolicy) WithTimeout(perAttempt time.Duration) RetryPolicy {
	p.timeout, p.hasTimeout = perAttempt, true
	return p
}

// MaxAttempts is how often the work is tried, the first try included.
func (p RetryPolicy) MaxAttempts() int {
	if p.attempts == 0 {
		return defaultAttempts
	}
	return p.attempts
}

// Timeout is the bound of each attempt; ok is false if there is none.
func (p RetryPolicy) Timeout() (d time.Duration, ok bool) { return p.timeout, p.hasTimeout }

// Delay is how long to wait after the failed attempt with this number, counted from 1.
func (p RetryPolicy) Delay(failed int) time.Duration { return p.backoff.Delay(failed) }

// Backoff computes the wait between two attempts. The zero value is the default: exponential, from 100 ms, doubling,
// at most 30 s. It is a pure function: replay computes the same waits again.
type Backoff struct {
	kind       backoffKind
	base       time.Duration
	max        time.Duration
	multiplier float64
}

type backoffKind uint8

const (
	backoffDefault backoffKind = iota
	backoffNone
	backoffFixed
	backoffLinear
	backoffExponential
)

// NoBackoff tries again at once; no timer is created.
func NoBackoff() Backoff { return Backoff{kind: backoffNone} }

// FixedBackoff waits d between any two attempts.
func FixedBackoff(d time.Duration) Backoff { return Backoff{kind: backoffFixed, base: d} }

// LinearBackoff waits base after the first failure, twice base after the second, and so on, at most max.
func LinearBackoff(base, max time.Duration) Backoff {
	return Backoff{kind: backoffLinear, base: base, max: max}
}

// ExponentialBackoff waits base after the first failure and multiplier times longer after each, at most max.
func ExponentialBackoff(base time.Duration, multiplier float64, max time.Duration) Backoff {
	return Backoff{kind: backoffExponential, base: base, multiplier: multiplier, max: max}
}

// Delay is the wait after the failed attempt with this number, counted from 1. It never overflows.
func (b Backoff) Delay(failed int) time.Duration {
	if failed < 1 {
		failed = 1
	}
	switch b.kind {
	case backoffNone:
		return 0
	case backoffFixed:
		return b.base
	case backoffLinear:
		if b.base > 0 && failed > int(b.max/b.base) {
			return b.max
		}
		return b.base * time.Duration(failed)
	case backoffExponential:
		return exponential(b.base, b.multiplier, b.max, failed)
	default:
		return exponential(100*time.Millisecond, 2, 30*time.Second, failed)
	}
}

func exponential(base time.Duration, multiplier float64, max time.Duration, failed int) time.Duration {
	if base <= 0 {
		return 0
	}
	ns := float64(base) * math.Pow(multiplier, float64(failed-1))
	if math.IsNaN(ns) || ns >= float64(max) {
		return max
	}
	return time.Duration(ns)
}
