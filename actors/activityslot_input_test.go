package actors

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// TestF10_APartIsDecodedOnceForAllItsActivities: after a restart each of a thousand activities gets its own input, and the
// parts that hold them are read a few times in all.
func TestF10_APartIsDecodedOnceForAllItsActivities(t *testing.T) {
	const n, size = 1000, 1 << 10
	fan := func(c *replay.Context, _ []byte) ([]byte, error) {
		var futures []*replay.Future
		for i := range n {
			input := fmt.Sprint(i, " ", strings.Repeat("x", size))
			futures = append(futures, c.Activity("check", []byte(input), replay.ActivityOptions{}))
		}
		for i, f := range futures {
			v, err := f.Await()
			if err != nil {
				return nil, err
			}
			if got := string(v.([]byte)); got != fmt.Sprint(i) {
				return nil, fmt.Errorf("activity %d has the input of %s", i, got)
			}
		}
		return []byte("all"), nil
	}
	inOneWorld(t, Config{}, func(w *world) {
		turns := newRegistry().orchestration("fan", fan)
		if _, err := w.e.Attach(consumer.Consumer{ID: "turns", Handlers: turns, TurnSlots: 1}); err != nil {
			t.Fatal(err)
		}
		w.start("a", "fan", "")
		pass(time.Second)
		parts := 0
		w.read("a", func(r persistence.Reader, iid persistence.Incarnation) error {
			return r.Parts(iid, 1, 1, func(persistence.StoredPart) bool { parts++; return true })
		})
		w.close()
		w.open()
		var reads atomic.Int64
		w.notedParts(func() { reads.Add(1) })
		w.attach(turns.activity("check", activityIndex))
		pass(time.Minute)
		before := reads.Load()
		w.completed("a", "all")
		loads := int64(w.e.Counters().Loads)
		t.Logf("%d reads, %d parts, %d loads", before, parts, loads)
		if most := int64(parts+1) + loads; parts < 4 || loads > 10 || before > most {
			t.Errorf("%d reads of %d parts and %d loads; at most %d are right", before, parts, loads, most)
		}
	})
}

// activityIndex gives the first word of its input.
func activityIndex(_ context.Context, _ consumer.ActivityInfo, _ consumer.Heart, input []byte) ([]byte, error) {
	first, _, _ := bytes.Cut(input, []byte(" "))
	return first, nil
}
