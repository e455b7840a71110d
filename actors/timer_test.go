package actors

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/internal/clock"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// testClock is the bubble's clock, set forward or back.
type testClock struct{ offset atomic.Int64 } // nanoseconds

func (c *testClock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

func (c *testClock) Elapsed() time.Duration { return clock.Real.Elapsed() }

func (c *testClock) AfterFunc(d time.Duration, f func()) clock.Timer { return time.AfterFunc(d, f) }

// TestATurnIsNotBeforeTheTimersThatItConsumes: the clock is set back after a timer has come due and before its turn. Code
// and history see a time at which the timer may fire.
func TestATurnIsNotBeforeTheTimersThatItConsumes(t *testing.T) {
	back := &testClock{}
	inWorldWith(t, Config{Clock: back}, func(w *world) {
		back.offset.Store(0)
		w.attach(basics().orchestration("both", func(c *replay.Context, _ []byte) ([]byte, error) {
			began := c.Now()
			c.All(c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED), c.Timer(time.Hour))
			return []byte(c.Now().Sub(began).String()), nil
		}))
		w.start("a", "both", "")
		pass(time.Hour - 2*time.Millisecond)
		w.journal.hold()
		w.raise("a", "go", "x") // its turn commits while the timer comes due
		pass(3 * time.Millisecond)
		back.offset.Store(int64(-10 * time.Minute))
		w.journal.release()
		synctest.Wait()
		w.completed("a", "1h0m0s")
		segments := w.history("a", 1)
		created, fired := int64(0), int64(0)
		for _, s := range segments {
			for _, e := range s.Events {
				if k := e.GetTimerCreated(); k != nil {
					created = k.GetFireAtMs()
				}
				if e.GetTimerFired() != nil {
					fired = s.Header.GetTimeMs()
				}
			}
		}
		if created == 0 || fired < created {
			t.Errorf("a timer for %d fired in a turn of %d", created, fired)
		}
	})
}
