package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// receivers are in different partitions.
var receivers = []string{"r1", "r2", "r3", "r4", "r5"}

func TestSends(t *testing.T) {
	// Collects gives what comes under "go" and in the queue "jobs".
	collects := turnstone.NewOrchestration("Collects", func(ctx octx, n int) (string, error) {
		var all []string
		for range n {
			v, err := turnstone.WaitEvent[string](ctx, "go").Await()
			if err != nil {
				return "", err
			}
			all = append(all, v, next(ctx, "jobs"))
		}
		return strings.Join(all, ","), nil
	})
	sends := text("Sends", func(ctx octx, to string) (string, error) {
		for i := range 3 {
			if err := turnstone.Raise(ctx, to, "go", fmt.Sprint("e", i)).Err(); err != nil {
				return "", err
			}
			if err := turnstone.Enqueue(ctx, to, "jobs", fmt.Sprint("q", i)).Err(); err != nil {
				return "", err
			}
		}
		return "sent", nil
	})
	scenario(t, "events and messages reach another instance once and in order, across crashes", func(w *world) {
		w.open(collects, sends)
		for _, id := range receivers {
			begin(w, collects, id, 3)
			begin(w, sends, "to "+id, id)
		}
		w.restart()
		for _, id := range receivers {
			completes(w, "to "+id, "sent")
			completes(w, id, "e0,q0,e1,q1,e2,q2")
			if h := w.history(id, 1); h.count("ExternalEvent") != 3 || h.count("QueueEventDelivered") != 3 {
				t.Errorf("history %v", h.kinds())
			}
		}
	})
	scenario(t, "a send that has no receiver says why", func(w *world) {
		w.cfg.Limits.Inbox = 3
		tries := text("Tries", func(ctx octx, to string) (string, error) {
			none := turnstone.Raise(ctx, "nobody of "+to, "go", 1).Err()
			turnstone.Raise(ctx, to, "go", "1")
			if err := ctx.Raise(to, "go", []byte(`"2"`)).Err(); err != nil {
				return "", err
			}
			if err := ctx.Enqueue(to, "jobs", []byte(`"3"`)).Err(); err != nil {
				return "", err
			}
			full := turnstone.Enqueue(ctx, to, "jobs", "4").Err()
			ended := turnstone.Raise(ctx, "ended", "go", 1).Err()
			for want, err := range map[error]error{turnstone.ErrInstanceNotFound: none, turnstone.ErrBusy: full, turnstone.ErrInstanceEnded: ended} {
				if !errors.Is(err, want) {
					return "", fmt.Errorf("%v is not %v", err, want)
				}
			}
			return "told", nil
		})
		w.open(collects, tries)
		begin(w, collects, "ended", 0)
		completes(w, "ended", "")
		for _, id := range receivers {
			later(w, collects, id, 3, client.WithStartDelay(time.Hour))
			begin(w, tries, "to "+id, id)
			completes(w, "to "+id, "told")
			w.cancel(id, "enough")
			w.cancelled(id, "enough")
		}
	})
	scenario(t, "an instance sends to itself, and to one that it starts in the same turn", func(w *world) {
		self := text("Self", func(ctx octx, to string) (string, error) {
			collects.StartDetached(ctx, to, 1)
			turnstone.Raise(ctx, to, "go", "e") // nothing waits for these two
			turnstone.Enqueue(ctx, to, "jobs", "q")
			if err := turnstone.Raise(ctx, ctx.Instance(), "mine", "m").Err(); err != nil {
				return "", err
			}
			return turnstone.WaitEvent[string](ctx, "mine").Await()
		})
		w.open(collects, self)
		for _, id := range receivers {
			begin(w, self, "self "+id, id)
			completes(w, "self "+id, "m")
			w.exists(id)
			completes(w, id, "e,q")
		}
	})
	scenario(t, "a send costs the turn that makes it and the turn that takes its answer", func(w *world) {
		w.cfg.Partitions = 1
		w.open(collects, sends)
		begin(w, collects, "r", 3)
		w.untilHistory("r", 1, "ExternalSubscribed")
		before := w.node.Metrics().Commands
		begin(w, sends, "s", "r")
		completes(w, "s", "sent")
		completes(w, "r", "e0,q0,e1,q1,e2,q2")
		// The sender has 7 turns; the receiver at most 6.
		if n := w.node.Metrics().Commands - before; w.resident && n > 13 {
			t.Errorf("%d commands for 6 sends", n)
		}
	})
}
