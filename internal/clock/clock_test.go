package clock

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestRealCallsBackWhenTheTimeHasPassedUnlessStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := Real.Now()
		called := make(chan time.Time, 2)
		Real.AfterFunc(time.Minute, func() { called <- Real.Now() })
		stopped := Real.AfterFunc(time.Second, func() { t.Error("a stopped timer called back") })
		if !stopped.Stop() || stopped.Stop() {
			t.Error("Stop must report true once and then false")
		}
		if at := <-called; at.Sub(start) < time.Minute {
			t.Errorf("called back after %v", at.Sub(start))
		}
	})
}

func TestMsIsUnixMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if got, want := WallMs(Real), time.Now().UnixMilli(); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	})
}
