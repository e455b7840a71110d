package e2e

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// tidyWorld is code that does two things, undoes them if it does not end well, and then ends as it is told.
type tidyWorld struct {
	mu   sync.Mutex
	done []string
	do   *turnstone.Activity[string, string]
	o    *turnstone.Orchestration[string, string]
}

func newTidyWorld() *tidyWorld {
	x := &tidyWorld{}
	x.do = turnstone.NewActivity("Do", func(_ actx, what string) (string, error) {
		x.mu.Lock()
		defer x.mu.Unlock()
		if len(x.done) == 0 || x.done[len(x.done)-1] != what { // it may run again after a kill
			x.done = append(x.done, what)
		}
		if strings.HasSuffix(what, "broken") {
			return "", &turnstone.Error{Kind: "Broken", Message: what, NonRetryable: true}
		}
		return what, nil
	})
	x.o = turnstone.NewOrchestration("Tidy", func(ctx octx, end string) (string, error) {
		for _, what := range []string{"a", "b"} {
			ctx.Compensate(func(ctx octx) error {
				if what == "b" {
					ctx.Sleep(time.Millisecond)
				}
				_, err := x.do.Call(ctx, "undo "+what)
				return err
			})
			if _, err := x.do.Call(ctx, what); err != nil {
				return "", err
			}
		}
		switch end {
		case "good":
			return end, nil
		case "panic":
			panic(end)
		case "wait":
			return turnstone.WaitEvent[string](ctx, "never").Await()
		default:
			_, err := x.do.Call(ctx, end)
			return "", err
		}
	}, turnstone.WithCleanup(func(ctx octx, why *turnstone.Failure) error {
		return x.do.Start(ctx, "tidy up").Err()
	}, time.Minute))
	return x
}

func (x *tidyWorld) all() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.Join(x.done, ", ")
}

func TestCleanupRunsForEveryBadEnd(t *testing.T) {
	for end, want := range map[string]string{
		"good":   "a, b",
		"broken": "a, b, broken, undo b, undo a, tidy up",
		"panic":  "a, b, undo b, undo a, tidy up",
		"wait":   "a, b, undo b, undo a, tidy up",
	} {
		scenario(t, end, func(w *world) {
			x := newTidyWorld()
			w.register(x.do, x.o)
			w.start()
			begin(w, x.o, "i", end)
			if end == "wait" {
				w.untilHistory("i", 1, "ExternalSubscribed")
				w.cancel("i", "enough")
			}
			st := w.end("i")
			if (st.State == client.StateCompleted) != (end == "good") {
				w.t.Errorf("%+v", st)
			}
			if end == "wait" {
				w.cancelled("i", "enough")
			}
			if got := x.all(); got != want {
				w.t.Errorf("done: %s; want %s", got, want)
			}
		})
	}
}

// TestKillsDuringACleanup kills the node after each recorded turn of the cleanup, and opens the store again.
func TestKillsDuringACleanup(t *testing.T) {
	scenario(t, "cancelled and killed again and again", func(w *world) {
		x := newTidyWorld()
		w.register(x.do, x.o)
		w.start()
		begin(w, x.o, "i", "wait")
		w.untilHistory("i", 1, "ExternalSubscribed")
		w.cancel("i", "enough")
		kills := 0
		for turn := uint64(0); ; kills++ {
			var d client.Description
			w.until("another turn is recorded", func() bool {
				var err error
				d, err = w.c.Describe(w.ctx, "i")
				return err == nil && d.Turn > turn
			})
			turn = d.Turn
			if d.State.Terminal() {
				break
			}
			w.crash()
			w.start()
		}
		w.cancelled("i", "enough")
		if got := x.all(); got != "a, b, undo b, undo a, tidy up" {
			w.t.Errorf("done: %s", got)
		}
		w.t.Logf("%d kills", kills)
	})
}
