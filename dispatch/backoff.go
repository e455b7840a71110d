package dispatch

// backoffExponentMax caps the exponent of the backoff.
const backoffExponentMax = 6

// Never is a time that does not come.
const Never = int64(1<<63 - 1)

// BackoffMs is how long work waits after its attempt-th attempt (from 1) found no registered handler:
// base x 2^min(attempt-1, 6), at most max. All are milliseconds. Deterministic.
func BackoffMs(baseMs, maxMs int64, attempt uint32) int64 {
	exponent := min(max(attempt, 1)-1, backoffExponentMax)
	if baseMs > maxMs>>exponent {
		return maxMs // also when base << exponent would overflow
	}
	return baseMs << exponent
}

// RenewalMs is how long after a lease was taken or renewed it is renewed again. timeout is how long the lease lasts,
// buffer how long before its end it should be renewed at the latest. All are milliseconds.
//
// From 15 s on it is timeout - buffer, below half the timeout rounded up to a whole second; never less than 1 s, so a
// lease of 1 s or less cannot be renewed in time.
func RenewalMs(timeoutMs, bufferMs int64) int64 {
	const second = 1000
	if timeoutMs >= 15*second {
		return max(second, timeoutMs-min(bufferMs, timeoutMs))
	}
	halfSeconds := (timeoutMs + 2*second - 1) / (2 * second)
	return max(second, halfSeconds*second)
}
