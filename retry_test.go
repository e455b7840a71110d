package turnstone_test

import (
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
)

const ms = time.Millisecond

func TestRetryPolicy(t *testing.T) {
	def := turnstone.RetryPolicy{}
	t.Run("RTY_001 the usual policy is 3 attempts, no timeout and a doubling backoff", func(t *testing.T) {
		for _, p := range []turnstone.RetryPolicy{def, turnstone.NewRetryPolicy(3)} {
			if _, has := p.RaceTimeout(); p.MaxAttempts() != 3 || has {
				t.Errorf("default policy: %d attempts, timeout %v", p.MaxAttempts(), has)
			}
			if p.Delay(1) != 100*ms || p.Delay(2) != 200*ms || p.Delay(20) != 30*time.Second {
				t.Errorf("default delays: %v, %v, %v", p.Delay(1), p.Delay(2), p.Delay(20))
			}
		}
	})
	for id, n := range map[string]int{"RTY_002 a policy of 5 attempts has 5 and no timeout": 5, "RTY_003 a policy of 1 attempt has 1": 1, "RTY_021 a policy of 1000 attempts is accepted": 1000} {
		t.Run(id, func(t *testing.T) {
			p := turnstone.NewRetryPolicy(n)
			if _, has := p.RaceTimeout(); p.MaxAttempts() != n || has {
				t.Errorf("%d attempts, timeout %v", p.MaxAttempts(), has)
			}
		})
	}
	t.Run("RTY_004 a policy of 0 attempts is refused", func(t *testing.T) {
		defer func() {
			if p := recover(); p != "turnstone: max_attempts must be at least 1" {
				t.Errorf("panic %v", p)
			}
		}()
		turnstone.NewRetryPolicy(0)
		t.Error("no panic")
	})
	for id, d := range map[string]time.Duration{"RTY_005 a timeout of a minute is kept": time.Minute, "RTY_022 a timeout of 1 ms is accepted": ms, "RTY_023 a timeout of zero is accepted": 0} {
		t.Run(id, func(t *testing.T) {
			if got, has := def.WithRaceTimeout(d).RaceTimeout(); !has || got != d {
				t.Errorf("timeout %v, %v", got, has)
			}
		})
	}
	t.Run("RTY_006 a fixed backoff is kept", func(t *testing.T) {
		if got := def.WithBackoff(turnstone.FixedBackoff(7 * time.Second)).Delay(3); got != 7*time.Second {
			t.Errorf("delay %v", got)
		}
	})
	t.Run("RTY_007 a policy's parts are chained and kept", func(t *testing.T) {
		p := turnstone.NewRetryPolicy(10).WithRaceTimeout(2 * time.Minute).
			WithBackoff(turnstone.LinearBackoff(500*ms, 10*time.Second))
		if got, _ := p.RaceTimeout(); p.MaxAttempts() != 10 || got != 2*time.Minute || p.Delay(2) != time.Second ||
			p.Delay(100) != 10*time.Second {
			t.Errorf("%d attempts, %v, delays %v %v", p.MaxAttempts(), got, p.Delay(2), p.Delay(100))
		}
	})
	t.Run("RTY_020 a policy gives its backoff's delays", func(t *testing.T) {
		b := turnstone.ExponentialBackoff(3*ms, 5, time.Hour)
		for k := 1; k < 12; k++ {
			if def.WithBackoff(b).Delay(k) != b.Delay(k) {
				t.Errorf("attempt %d: %v, the backoff says %v", k, def.WithBackoff(b).Delay(k), b.Delay(k))
			}
		}
	})
}

func TestBackoff(t *testing.T) {
	s := time.Second
	for _, c := range []struct {
		id      string
		backoff turnstone.Backoff
		want    map[int]time.Duration
	}{
		{"RTY_008 no backoff never waits", turnstone.NoBackoff(), map[int]time.Duration{1: 0, 5: 0, 1000: 0}},
		{"RTY_009 a fixed backoff is constant", turnstone.FixedBackoff(5 * s), map[int]time.Duration{1: 5 * s, 2: 5 * s, 99: 5 * s}},
		{"RTY_010 a fixed backoff of zero never waits", turnstone.FixedBackoff(0), map[int]time.Duration{1: 0, 7: 0}},
		{"RTY_011 a linear backoff grows by its base", turnstone.LinearBackoff(100*ms, time.Hour), map[int]time.Duration{1: 100 * ms, 2: 200 * ms, 3: 300 * ms, 10: s}},
		{"RTY_012 a linear backoff ends at its maximum", turnstone.LinearBackoff(s, 5*s), map[int]time.Duration{1: s, 4: 4 * s, 5: 5 * s, 6: 5 * s, 1 << 40: 5 * s}},
		{"RTY_013 a linear backoff of base zero never waits", turnstone.LinearBackoff(0, 5*s), map[int]time.Duration{1: 0, 1000: 0}},
		{"RTY_014 an exponential backoff doubles", turnstone.ExponentialBackoff(100*ms, 2, time.Hour), map[int]time.Duration{1: 100 * ms, 2: 200 * ms, 3: 400 * ms, 4: 800 * ms}},
		{"RTY_015 an exponential backoff ends at its maximum", turnstone.ExponentialBackoff(100*ms, 2, 500*ms), map[int]time.Duration{1: 100 * ms, 2: 200 * ms, 3: 400 * ms, 4: 500 * ms}},
		{"RTY_016 an exponential backoff triples", turnstone.ExponentialBackoff(100*ms, 3, time.Hour), map[int]time.Duration{1: 100 * ms, 2: 300 * ms, 3: 900 * ms}},
		{"RTY_017 an exponential backoff of factor 1 is constant", turnstone.ExponentialBackoff(500*ms, 1, time.Hour), map[int]time.Duration{1: 500 * ms, 50: 500 * ms}},
		{"RTY_018 an exponential backoff does not overflow", turnstone.ExponentialBackoff(s, 2, 30*s), map[int]time.Duration{1000: 30 * s, 1 << 50: 30 * s}},
		{"RTY_019 an exponential backoff of base zero never waits", turnstone.ExponentialBackoff(0, 2, 30*s), map[int]time.Duration{1: 0, 1000: 0, 1 << 50: 0}},
	} {
		t.Run(c.id, func(t *testing.T) {
			for failed, want := range c.want {
				if got := c.backoff.Delay(failed); got != want {
					t.Errorf("after failed attempt %d: %v, want %v", failed, got, want)
				}
			}
		})
	}
}
