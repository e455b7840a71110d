package actors

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// TestATimerThatIsCenturiesAhead does not make the partition's timer ring at once.
func TestATimerThatIsCenturiesAhead(t *testing.T) {
	inOneWorld(t, Config{}, func(w *world) {
		w.attach(basics().orchestration("sleep", func(c *replay.Context, _ []byte) ([]byte, error) {
			if c.Race(c.Timer(math.MaxInt64), c.Timer(72*time.Hour)) == 0 {
				return nil, errors.New("the far one fired")
			}
			return []byte("slept"), nil
		}))
		w.start("a", "sleep", "")
		pass(72*time.Hour - time.Second)
		if got := w.head("a").Status; got != persistence.StatusRunning {
			t.Fatalf("a is %v before its time", got)
		}
		pass(2 * time.Second)
		w.completed("a", "slept")
	})
}
