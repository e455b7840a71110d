package dispatch

import "testing"

func TestBackoff(t *testing.T) {
	cases := []struct {
		name      string
		base, max int64
		want      []int64
	}{
		{"VER_055 the backoff of a missing handler doubles from 1 s to 60 s", 1000, 60_000, []int64{1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000}},
		{"VER_056 the backoff of a missing handler doubles from 100 ms to 500 ms", 100, 500, []int64{100, 200, 400, 500, 500}},
		{"the exponent is capped", 1, 1 << 40, []int64{1, 2, 4, 8, 16, 32, 64, 64, 64}},
		{"a base that would overflow", 1 << 61, 1 << 62, []int64{1 << 61, 1 << 62, 1 << 62}},
		{"a base above the maximum", 9000, 1000, []int64{1000, 1000}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for i, want := range c.want {
				if got := BackoffMs(c.base, c.max, uint32(i+1)); got != want {
					t.Errorf("attempt %d: %d ms, want %d", i+1, got, want)
				}
			}
		})
	}
	if got := BackoffMs(1000, 60_000, 0); got != 1000 {
		t.Errorf("attempt 0 waits %d ms, want the base", got)
	}
}

// TestRenewal has the formula of the renewals.
func TestRenewal(t *testing.T) {
	for _, c := range []struct{ timeout, buffer, want int64 }{
		{5000, 2000, 3000},    // turns, by default
		{30_000, 5000, 25000}, // activities and sessions, by default
		{15_000, 5000, 10_000},
		{14_999, 5000, 8000},
		{3000, 1000, 2000},
		{2000, 0, 1000},
		{1000, 0, 1000},
		{1, 0, 1000},
		{16_000, 60_000, 1000}, // a buffer above the timeout
		{60_000, 0, 60_000},
	} {
		if got := RenewalMs(c.timeout, c.buffer); got != c.want {
			t.Errorf("timeout %d, buffer %d: renewed after %d ms, want %d", c.timeout, c.buffer, got, c.want)
		}
	}
}
