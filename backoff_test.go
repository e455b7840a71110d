package turnstone_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
)

// Every number that a policy takes does what it says at its smallest and at its largest, or is refused by name.
func TestF38_zero_is_never_the_opposite_of_what_it_says(t *testing.T) {
	const s, longest = time.Second, time.Duration(math.MaxInt64)
	for name, c := range map[string]struct {
		backoff turnstone.Backoff
		want    map[int]time.Duration
	}{
		"exponential, max 0":         {turnstone.ExponentialBackoff(s, 2, 0), map[int]time.Duration{1: s, 2: 2 * s, 11: 1024 * s, 1000: longest, math.MaxInt: longest}},
		"exponential, longest max":   {turnstone.ExponentialBackoff(s, 2, longest), map[int]time.Duration{1: s, 34: s << 33, 35: longest}},
		"exponential, max 1":         {turnstone.ExponentialBackoff(s, 2, 1), map[int]time.Duration{1: 1, 9: 1}},
		"exponential, multiplier 1":  {turnstone.ExponentialBackoff(s, 1, 0), map[int]time.Duration{1: s, math.MaxInt: s}},
		"exponential, steep":         {turnstone.ExponentialBackoff(1, math.MaxFloat64, 0), map[int]time.Duration{1: 1, 2: longest, 3: longest}},
		"exponential, base 0":        {turnstone.ExponentialBackoff(0, 2, 0), map[int]time.Duration{1: 0, math.MaxInt: 0}},
		"exponential, longest base":  {turnstone.ExponentialBackoff(longest, 2, 0), map[int]time.Duration{1: longest, 2: longest}},
		"linear, max 0":              {turnstone.LinearBackoff(s, 0), map[int]time.Duration{1: s, 2: 2 * s, 1 << 20: s << 20, math.MaxInt: longest}},
		"linear, longest base":       {turnstone.LinearBackoff(longest, 0), map[int]time.Duration{1: longest, 2: longest, math.MaxInt: longest}},
		"linear, max below the base": {turnstone.LinearBackoff(s, 1), map[int]time.Duration{1: 1, 2: 1}},
		"fixed, 0":                   {turnstone.FixedBackoff(0), map[int]time.Duration{1: 0, math.MaxInt: 0}},
		"fixed, longest":             {turnstone.FixedBackoff(longest), map[int]time.Duration{1: longest, math.MaxInt: longest}},
		"none":                       {turnstone.NoBackoff(), map[int]time.Duration{1: 0, math.MaxInt: 0}},
		"default":                    {turnstone.Backoff{}, map[int]time.Duration{1: s / 10, 9: 256 * s / 10, 10: 30 * s, math.MaxInt: 30 * s}},
	} {
		for failed, want := range c.want {
			if got := c.backoff.Delay(failed); got != want {
				t.Errorf("%s: after failed attempt %d: %v, want %v", name, failed, got, want)
			}
		}
	}
	for want, f := range map[string]func(){
		"the multiplier of a backoff is 0.5":            func() { turnstone.ExponentialBackoff(s, 0.5, 0) },
		"the multiplier of a backoff is 0;":             func() { turnstone.ExponentialBackoff(s, 0, 0) },
		"the multiplier of a backoff is NaN":            func() { turnstone.ExponentialBackoff(s, math.NaN(), 0) },
		"the multiplier of a backoff is +Inf":           func() { turnstone.ExponentialBackoff(s, math.Inf(1), 0) },
		"the base of a retry policy is -1s":             func() { turnstone.ExponentialBackoff(-s, 2, 0) },
		"the base of a retry policy is -2s":             func() { turnstone.LinearBackoff(-2*s, 0) },
		"the max of a retry policy is -1s":              func() { turnstone.ExponentialBackoff(s, 2, -s) },
		"the max of a retry policy is -2s":              func() { turnstone.LinearBackoff(s, -2*s) },
		"the wait of a retry policy is -1s":             func() { turnstone.FixedBackoff(-s) },
		"the timeout of a retry policy is -1s":          func() { turnstone.NewRetryPolicy(1).WithRaceTimeout(-s) },
		"the jitter of a backoff is -0.1":               func() { turnstone.NoBackoff().WithJitter(-0.1) },
		"the jitter of a backoff is 1.5":                func() { turnstone.NoBackoff().WithJitter(1.5) },
		"the jitter of a backoff is NaN":                func() { turnstone.NoBackoff().WithJitter(math.NaN()) },
		"max_attempts must be at least 1":               func() { turnstone.NewRetryPolicy(0) },
		"turnstone: max_attempts must be at least 1":    func() { turnstone.NewRetryPolicy(math.MinInt) },
		`the version "1.0" is not a semantic version`:   func() { turnstone.Exact("1.0") },
		"turnstone: the version \"\" is not a semantic": func() { turnstone.Exact("") },
	} {
		func() {
			defer func() {
				if p := recover(); !strings.Contains(fmt.Sprint(p), want) {
					t.Errorf("panic %v, want %q", p, want)
				}
			}()
			f()
		}()
	}
	if p := turnstone.NewRetryPolicy(math.MaxInt); p.MaxAttempts() != math.MaxInt {
		t.Errorf("%d attempts", p.MaxAttempts())
	}
}

// Jitter shortens a wait, is drawn anew for each, and is the same on replay (the driver asks the oracle).
func TestRetryJitter(t *testing.T) {
	waits := func(t *testing.T, cold bool, jitter float64) (all []time.Duration) {
		a := flaky(9)
		b := turnstone.FixedBackoff(time.Second).WithJitter(jitter)
		d := newDriver(t, a, retrying(a, turnstone.NewRetryPolicy(8).WithBackoff(b)))
		d.cold = cold
		out := d.run("O", "i", struct{}{})
		out.fails(t, "attempt 8 failed")
		last := int64(0)
		for _, e := range out.history {
			if f := e.GetTimerCreated(); f != nil {
				if last > 0 {
					all = append(all, time.Duration(f.GetFireAtMs()-last-2)*ms) // two turns of the driver, 1 ms each
				}
				last = f.GetFireAtMs()
			}
		}
		return all
	}
	both(t, func(t *testing.T, cold bool) {
		for _, w := range waits(t, cold, 0) {
			if w != time.Second {
				t.Errorf("without jitter it waits %v", w)
			}
		}
		got, different := waits(t, cold, 0.5), map[time.Duration]bool{}
		for _, w := range got {
			different[w] = true
			if w < 500*ms || w > time.Second {
				t.Errorf("it waits %v", w)
			}
		}
		if len(got) != 6 || len(different) < 4 {
			t.Errorf("waits %v", got)
		}
	})
}
