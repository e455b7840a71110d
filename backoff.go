package turnstone

import (
	"fmt"
	"math"
	"time"
)

// Backoff computes the wait between two attempts. The zero value is the default: exponential, from 100 ms, doubling,
// at most 30 s. It is a pure function: replay computes the same waits again.
type Backoff struct {
	kind       backoffKind
	base       time.Duration
	max        time.Duration // 0: without a bound
	multiplier float64
	jitter     float64
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

// FixedBackoff waits d between any two attempts; 0 is no wait. It panics if d is negative.
func FixedBackoff(d time.Duration) Backoff {
	notNegative("wait", d)
	return Backoff{kind: backoffFixed, base: d}
}

// LinearBackoff waits base after the first failure, twice base after the second, and so on, at most max; a max of 0 is
// no bound. A base of 0 is no wait. It panics if one of them is negative.
func LinearBackoff(base, max time.Duration) Backoff {
	notNegative("base", base)
	notNegative("max", max)
	return Backoff{kind: backoffLinear, base: base, max: max}
}

// ExponentialBackoff waits base after the first failure and multiplier times longer after each, at most max; a max of 0
// is no bound. A base of 0 is no wait. It panics if base or max is negative, or multiplier is below 1 or not finite.
func ExponentialBackoff(base time.Duration, multiplier float64, max time.Duration) Backoff {
	notNegative("base", base)
	notNegative("max", max)
	if !(multiplier >= 1) || math.IsInf(multiplier, 1) {
		panic(fmt.Sprintf("turnstone: the multiplier of a backoff is %v; it must be at least 1 and finite", multiplier))
	}
	return Backoff{kind: backoffExponential, base: base, multiplier: multiplier, max: max}
}

// WithJitter shortens each wait by a random part of it, up to this fraction, so that what failed together is not tried
// again together. The randomness is the turn's recorded one. It panics if fraction is not within 0 and 1.
func (b Backoff) WithJitter(fraction float64) Backoff {
	if !(fraction >= 0 && fraction <= 1) {
		panic(fmt.Sprintf("turnstone: the jitter of a backoff is %v; it must be within 0 and 1", fraction))
	}
	b.jitter = fraction
	return b
}

func notNegative(what string, d time.Duration) {
	if d < 0 {
		panic(fmt.Sprintf("turnstone: the %s of a retry policy is %v; it cannot be negative", what, d))
	}
}

// Delay is the wait after the failed attempt with this number, counted from 1; with jitter it is the longest. It never
// overflows.
func (b Backoff) Delay(failed int) time.Duration {
	failed = max(failed, 1)
	switch b.kind {
	case backoffNone:
		return 0
	case backoffFixed:
		return b.base
	case backoffLinear:
		if b.base > 0 && failed > int(b.bound()/b.base) {
			return b.bound()
		}
		return b.base * time.Duration(failed)
	case backoffExponential:
		return b.exponential(failed)
	default:
		return ExponentialBackoff(100*time.Millisecond, 2, 30*time.Second).exponential(failed)
	}
}

// bound is the longest wait.
func (b Backoff) bound() time.Duration {
	if b.max == 0 {
		return math.MaxInt64
	}
	return b.max
}

func (b Backoff) exponential(failed int) time.Duration {
	if b.base == 0 {
		return 0
	}
	ns := float64(b.base) * math.Pow(b.multiplier, float64(failed-1))
	if ns >= float64(b.bound()) {
		return b.bound()
	}
	return time.Duration(ns)
}

// jittered shortens a wait by a part that 64 random bits decide.
func (b Backoff) jittered(d time.Duration, random uint64) time.Duration {
	part := float64(random>>11) / (1 << 53) // the 53 bits that a float64 has, as a number below 1
	return d - time.Duration(float64(d)*b.jitter*part)
}
