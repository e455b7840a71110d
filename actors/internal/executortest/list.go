// Package executortest has executors for tests that decide themselves what runs next.
//
// It must not know actors. Start reading at [List].
package executortest

// List is an executor that runs nothing by itself: the test draws from what waits. With PerRun an actor handles so many
// messages in one run; 0: as many as it would.
type List struct {
	Waiting []func()
	PerRun  int
}

// Go puts a function at the end of the list.
func (l *List) Go(f func()) { l.Waiting = append(l.Waiting, f) }

// Throughput is how many messages one run of an actor may handle.
func (l *List) Throughput() int {
	if l.PerRun == 0 {
		return 128
	}
	return l.PerRun
}

// Drain runs everything, also what comes meanwhile. pick draws which of n functions is next.
func (l *List) Drain(pick func(n int) int) {
	for len(l.Waiting) > 0 {
		i, last := pick(len(l.Waiting)), len(l.Waiting)-1
		f := l.Waiting[i]
		if i == 0 {
			l.Waiting = l.Waiting[1:]
		} else {
			l.Waiting[i] = l.Waiting[last]
			l.Waiting = l.Waiting[:last]
		}
		f()
	}
}
