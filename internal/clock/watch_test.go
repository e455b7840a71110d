package clock

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// settable is the real clock, whose wall clock can be set.
type settable struct {
	offset atomic.Int64
	timers atomic.Int64
}

func (c *settable) Now() time.Time { return Real.Now().Add(time.Duration(c.offset.Load())) }

func (c *settable) Elapsed() time.Duration { return Real.Elapsed() }

func (c *settable) AfterFunc(d time.Duration, f func()) Timer {
	c.timers.Add(1)
	return Real.AfterFunc(d, f)
}

func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestF17_WatchNoticesAStepWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &settable{}
		steps := 0
		w := NewWatch(c, func() { steps++ })
		pass(time.Hour)
		if n := c.timers.Load(); n != 0 {
			t.Errorf("%d timers although nothing needs the watch", n)
		}
		w.Need()
		w.Need()
		pass(10 * time.Second)
		if n := c.timers.Load(); n > 11 || steps != 0 {
			t.Errorf("%d timers in 10 s, %d steps", n, steps)
		}
		for i, by := range []time.Duration{time.Hour, -time.Hour, 10 * 365 * 24 * time.Hour, stepMin, -stepMin} {
			c.offset.Add(int64(by))
			pass(watchEvery)
			if steps != i+1 {
				t.Fatalf("%d steps noticed, want %d", steps, i+1)
			}
		}
		c.offset.Add(int64(stepMin - time.Millisecond))
		pass(10 * time.Second)
		if steps != 5 {
			t.Errorf("a drift is taken for a step")
		}
		w.Spare()
		c.offset.Add(int64(time.Millisecond))
		pass(watchEvery)
		if steps != 6 {
			t.Errorf("what has drifted apart is never noticed")
		}
		w.Spare()
		pass(time.Minute)
		before := c.timers.Load()
		pass(time.Hour)
		if c.timers.Load() != before {
			t.Error("the watch goes on although nothing needs it")
		}
		c.offset.Add(int64(time.Hour))
		w.Need()
		pass(watchEvery)
		if steps != 7 {
			t.Error("a step while nothing needed the watch is not told when something does")
		}
		w.Stop()
		c.offset.Store(0)
		w.Need()
		pass(time.Minute)
		if steps != 7 {
			t.Error("a stopped watch goes on")
		}
	})
}

func TestElapsedIsNotMovedByTheWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := Real.Elapsed()
		if began <= 0 {
			t.Errorf("elapsed time begins at %v", began)
		}
		pass(time.Minute)
		if got := Real.Elapsed() - began; got != time.Minute {
			t.Errorf("%v have elapsed in a minute", got)
		}
		if got := ElapsedMs(Real); got != Real.Elapsed().Milliseconds() {
			t.Errorf("%d ms", got)
		}
	})
	if a, b := Real.Elapsed(), Real.Elapsed(); a <= 0 || b < a {
		t.Errorf("elapsed time went from %v to %v", a, b)
	}
}
