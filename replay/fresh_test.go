package replay_test

import (
	"errors"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/replay"
)

func TestFresh(t *testing.T) {
	hist := events(evS(1))
	t.Run("RE_001 a handler that returns at once", func(t *testing.T) {
		d := after(t, returns("success"), hist)
		wantCompleted(t, d, "success")
		wantKinds(t, d, "")
	})
	t.Run("RE_002 a handler that returns an error", func(t *testing.T) {
		d := after(t, func(*replay.Context, []byte) ([]byte, error) { return nil, errors.New("bad") }, hist)
		wantFailed(t, d, "application", "bad")
		wantKinds(t, d, "")
	})
	t.Run("RE_003 an activity that is awaited", func(t *testing.T) {
		d := after(t, greet, hist)
		wantRunning(t, d)
		wantKinds(t, d, "AS")
		if len(d.Activities) != 1 || d.Activities[0].Name != "Greet" || string(d.Activities[0].Input) != "Alice" {
			t.Errorf("activities: %+v", d.Activities)
		}
	})
	t.Run("RE_004 a timer that is awaited", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			_, err := c.Timer(time.Minute).Await()
			return nil, err
		}, hist)
		wantRunning(t, d)
		wantKinds(t, d, "TC")
		if len(d.Timers) != 1 || d.Timers[0].FireAtMs != 1_000+60_000 {
			t.Errorf("timers: %+v", d.Timers)
		}
	})
}
