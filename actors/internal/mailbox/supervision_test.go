package mailbox

import (
	"testing"
	"time"
)

func TestF54_PausesBetweenRestartsDoubleUpToTheMost(t *testing.T) {
	last := time.Duration(0)
	for row := 1; row < 100; row++ {
		got := RestartPause(row)
		switch {
		case row <= RestartsAtOnce && got != 0:
			t.Errorf("failure %d waits %v", row, got)
		case row == RestartsAtOnce+1 && got != restartPauseMin:
			t.Errorf("the first pause is %v", got)
		case row > RestartsAtOnce+1 && got != min(2*last, RestartPauseMax):
			t.Errorf("failure %d waits %v after %v", row, got, last)
		}
		last = got
	}
	if RestartPause(1<<62) != RestartPauseMax {
		t.Error("the pause overflows")
	}
}
