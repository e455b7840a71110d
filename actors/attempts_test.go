package actors

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/replay"
)

// mostAttempts are what Config.MaxAttempts may be: from its smallest value on.
var mostAttempts = []uint32{1, 2, 3, 10}

// TestF39_InnocentActivitiesCompleteBesideAKiller, whatever the most attempts are; the killer is poison after them.
func TestF39_InnocentActivitiesCompleteBesideAKiller(t *testing.T) {
	for _, most := range mostAttempts {
		t.Run(fmt.Sprint("of ", most), func(t *testing.T) {
			once(t, Config{MaxAttempts: most}, func(w *world) {
				killer := newWorker()
				register := func() *registry {
					return newRegistry().orchestration("call", call).activity("killer", killer.run).activity("innocent", secondLong)
				}
				w.attach(register())
				w.beside("call", "innocent", func() { w.start("killer", "call", "killer") })
				w.crashWhile(func() bool { _, running, _ := killer.state(); return running > 0 }, register)
				if p := w.failed("killer").GetPoison(); p.GetAttempts() != most+1 || p.GetAttemptsMax() != most {
					t.Errorf("failed with %v", w.failed("killer"))
				}
				// Once under a grant, which leaves no trace, and then as often as allowed under a lease.
				if calls, _, _ := killer.state(); calls != int(most)+1 {
					t.Errorf("the killer ran %d times, want %d", calls, most+1)
				}
				for i := range 5 {
					w.completed(fmt.Sprint("i", i), "innocent")
				}
			})
		})
	}
}

// TestF39_InnocentTurnsCompleteBesideAKiller: the same for code of orchestrations.
func TestF39_InnocentTurnsCompleteBesideAKiller(t *testing.T) {
	for _, most := range mostAttempts {
		t.Run(fmt.Sprint("of ", most), func(t *testing.T) {
			once(t, Config{MaxAttempts: most}, func(w *world) {
				var killed, calls atomic.Int64
				gate := make(chan struct{})
				register := func() *registry {
					return newRegistry().
						orchestration("killer", func(*replay.Context, []byte) ([]byte, error) {
							killed.Add(1)
							calls.Add(1)
							<-gate
							return nil, nil
						}).
						orchestration("innocent", func(_ *replay.Context, in []byte) ([]byte, error) {
							<-time.After(100 * time.Millisecond)
							return in, nil
						})
				}
				w.beside("innocent", "innocent", func() { w.start("killer", "killer", "") })
				w.crash()
				w.open()
				w.attach(register())
				synctest.Wait()
				w.crashWhile(func() bool { return killed.Swap(0) > 0 }, register)
				if p := w.failed("killer").GetPoison(); p.GetAttempts() != most+1 || p.GetAttemptsMax() != most {
					t.Errorf("failed with %v", w.failed("killer"))
				}
				if calls.Load() != int64(most) {
					t.Errorf("the killer ran %d times, want %d", calls.Load(), most)
				}
				for i := range 5 {
					w.completed(fmt.Sprint("i", i), "innocent")
				}
				close(gate)
			})
		})
	}
}

// secondLong is an activity that takes a second.
func secondLong(ctx context.Context, _ consumer.ActivityInfo, _ consumer.Heart, in []byte) ([]byte, error) {
	select {
	case <-time.After(time.Second):
		return in, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// beside starts five innocents, and the killer among them.
func (w *world) beside(name, input string, killer func()) {
	w.t.Helper()
	for i := range 5 {
		if i == 3 {
			killer()
		}
		w.start(fmt.Sprint("i", i), name, input)
	}
}

// crashWhile crashes as often as the killer has run, until nothing has run it for a while.
func (w *world) crashWhile(killed func() bool, register func() *registry) {
	for range 600 {
		if !killed() {
			pass(50 * time.Millisecond)
			continue
		}
		w.reopen(w.crash)
		w.attach(register())
		synctest.Wait()
	}
}
