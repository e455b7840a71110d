package sim

import "time"

// random is a small generator of our own: the same numbers for the same seed, whatever the Go version.
type random struct{ state uint64 }

// newRandom gives an independent stream of a seed.
func newRandom(seed, stream uint64) *random {
	r := &random{state: seed*0x9e3779b97f4a7c15 + stream*0xd1342543de82ef95 + 1}
	r.next()
	r.next()
	return r
}

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below draws from 0 to n-1.
func (r *random) below(n int) int { return int(r.next() >> 1 % uint64(n)) }

// between draws from low to high, both included.
func (r *random) between(low, high int) int { return low + r.below(high-low+1) }

// chance is true once in n times.
func (r *random) chance(n int) bool { return r.below(n) == 0 }

// duration draws from low to high; short ones are more likely, so that both scales are reached.
func (r *random) duration(low, high time.Duration) time.Duration {
	span := uint64(high - low)
	if span == 0 {
		return low
	}
	cut := r.next() >> 1 % span
	return low + time.Duration(r.next()>>1%(cut+1))
}

// pick draws one of the values.
func pick[T any](r *random, values ...T) T { return values[r.below(len(values))] }
