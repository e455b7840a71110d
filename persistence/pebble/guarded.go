package pebble

// guarded runs a call of Pebble that the latch may block. It returns when run does, or with the failure when the latch
// closes. In the second case run may wait for ever, and its goroutine is leaked on purpose.
func guarded[T any](l *latch, run func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var none T
	answers := make(chan answer, 1)
	go func() {
		value, err := run()
		answers <- answer{value, err}
	}()
	select {
	case <-l.done:
	case a := <-answers:
		if l.clear() {
			return a.value, a.err
		}
	}
	return none, l.cause()
}
