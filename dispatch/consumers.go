package dispatch

import "math/bits"

// ConsumersMax is how many consumers can be attached to a partition at once, beside the built-in one.
const ConsumersMax = 63

// builtin is the number of the consumer of the system activities, which is a part of the engine.
const builtin = ConsumersMax

// consumers are the attached consumers of activities. Each has a number below ConsumersMax, or builtin.
type consumers struct {
	handles [ConsumersMax + 1]func(name string) bool
	present uint64
}

// attach gives a consumer the lowest free number; false if all are taken.
func (c *consumers) attach(handles func(name string) bool) (int, bool) {
	n := bits.TrailingZeros64(^c.present)
	if n >= ConsumersMax {
		return 0, false
	}
	c.handles[n] = handles
	c.present |= 1 << n
	return n, true
}

func (c *consumers) detach(n int) {
	c.handles[n] = nil
	c.present &^= 1 << n
}

// any reports whether a consumer is attached, beside the built-in one.
func (c *consumers) any() bool { return c.present&^(1<<builtin) != 0 }

// mask is the set of the consumers that have a handler of this name.
func (c *consumers) mask(name string) uint64 {
	var mask uint64
	for rest := c.present; rest != 0; rest &= rest - 1 {
		n := bits.TrailingZeros64(rest)
		if c.handles[n](name) {
			mask |= 1 << n
		}
	}
	return mask
}
