package actors

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/replay"
)

// A runtime is attached, and signals come while the code of a held instance blocks: they are no reasons to try it once more.
func TestF50_signals_are_no_tries(t *testing.T) {
	inWorldWith(t, Config{Build: "1"}, func(w *world) {
		gate := make(chan struct{})
		var tries atomic.Int64
		code := basics().orchestration("block", func(*replay.Context, []byte) ([]byte, error) {
			tries.Add(1)
			blockHere(gate)
			return nil, nil
		})
		w.attach(code)
		w.ask(arrival.StartRequest{ID: "b", Name: "block"})
		pass(time.Hour)
		before := tries.Load()
		w.attachAs("consumer-2", code)
		for range 100 {
			pass(2 * time.Second)
			w.raise("b", "go", "x")
		}
		pass(time.Hour)
		if n := tries.Load() - before; before != step.BlockedTriesMax || n > step.BlockedTriesMax {
			w.t.Errorf("it was tried %d times, and %d times after one more runtime was attached: the lease row is %+v", before, n, w.lease("b"))
		}
		close(gate)
		synctest.Wait()
	})
}
