package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
)

// target ends when it is told to: with what it is told, or, for "fail", badly. "again" has it continue as new.
var target = turnstone.NewOrchestration("Target", func(ctx octx, size int) (string, error) {
	word, err := turnstone.WaitEvent[string](ctx, "end").Await()
	switch {
	case err != nil:
		return "", err
	case word == "again":
		return "", turnstone.ContinueAsNew(ctx, size)
	case word == "fail":
		return "", errors.New("it went wrong")
	}
	return word + strings.Repeat("x", size), nil
})

// watches waits for the end of an instance and gives what it learns, with the output by its length.
var watches = text("Watches", func(ctx octx, id string) (string, error) {
	out, err := turnstone.AwaitInstance[string](ctx, id).Await()
	var failed *turnstone.Failure
	switch {
	case errors.Is(err, turnstone.ErrInstanceNotFound):
		return "none", nil
	case errors.As(err, &failed):
		return "failed: " + failed.Error(), nil
	}
	return fmt.Sprint("gave ", len(out)), err
})

// watchers are in different partitions.
var watchers = []string{"w1", "w2", "w3", "w4", "w5"}

func (w *world) watch(id string) {
	w.t.Helper()
	for _, watcher := range watchers {
		begin(w, watches, watcher+" of "+id, id)
	}
	for _, watcher := range watchers {
		w.untilHistory(watcher+" of "+id, 1, "AwaitScheduled")
	}
}

func (w *world) learn(id, want string) {
	w.t.Helper()
	for _, watcher := range watchers {
		completes(w, watcher+" of "+id, want)
		if h := w.history(watcher+" of "+id, 1); h.count("AwaitEnded") != 1 {
			w.t.Errorf("history %v", h.kinds())
		}
	}
}

func TestAwaitInstance(t *testing.T) {
	scenario(t, "instances wait for the end of another one, across its continue-as-new and crashes", func(w *world) {
		w.open(target, watches)
		begin(w, target, "t", 0)
		w.watch("t")
		w.restart()
		w.raise("t", "end", "again")
		w.until("its second execution", func() bool {
			d, err := w.c.Describe(w.ctx, "t")
			return err == nil && d.Execution == 2
		})
		w.restart()
		w.raise("t", "end", "done")
		completes(w, "t", "done")
		w.restart()
		w.learn("t", "gave 4")
	})
	scenario(t, "they learn a failure, a cancel and a termination", func(w *world) {
		w.open(target, watches)
		for id, want := range map[string]string{
			"fails": "failed: it went wrong", "cancelled": "failed: canceled: enough", "terminated": "failed: terminated: now",
		} {
			begin(w, target, id, 0)
			w.watch(id)
			switch id {
			case "fails":
				w.raise(id, "end", "fail")
			case "cancelled":
				w.cancel(id, "enough")
			case "terminated":
				if err := w.c.Terminate(w.ctx, id, "now"); err != nil {
					t.Fatal(err)
				}
			}
			w.restart()
			w.learn(id, want)
		}
	})
	scenario(t, "one that has ended answers at once, and one that does not exist too", func(w *world) {
		w.open(target, watches)
		begin(w, target, "ended", 0)
		w.raise("ended", "end", "done")
		completes(w, "ended", "done")
		w.watch("ended")
		w.learn("ended", "gave 4")
		w.watch("nobody")
		w.learn("nobody", "none")
	})
}

func TestAwaitInstanceInBatchesAndGivenUp(t *testing.T) {
	scenario(t, "an output of more than a batch reaches all, also if the node is killed between two batches", func(w *world) {
		const size = 700 << 10
		w.open(target, watches)
		begin(w, target, "t", size)
		w.watch("t")
		w.raise("t", "end", "")
		w.crash()
		w.start()
		for range 3 {
			w.restart()
		}
		w.learn("t", fmt.Sprint("gave ", size))
	})
	scenario(t, "a wait is given up", func(w *world) {
		gives := text("Gives up", func(ctx octx, id string) (string, error) {
			end, late := turnstone.AwaitInstance[string](ctx, id), turnstone.AwaitInstance[string](ctx, id)
			if turnstone.Race(ctx, end, ctx.Timer(ms)) != 1 {
				return "", errors.New("it has ended")
			}
			late.Cancel()
			return turnstone.WaitEvent[string](ctx, "go on").Await()
		})
		w.open(target, gives)
		begin(w, target, "t", 0)
		for _, id := range watchers {
			begin(w, gives, id, "t")
		}
		for _, id := range watchers {
			w.untilHistory(id, 1, "ExternalSubscribed")
		}
		w.restart()
		w.raise("t", "end", "done")
		completes(w, "t", "done")
		for _, id := range watchers {
			w.raise(id, "go on", "free")
			completes(w, id, "free")
		}
	})
}

func TestAwaitInstanceOfItself(t *testing.T) {
	scenario(t, "an instance cannot wait for its own end", func(w *world) {
		self := text("Self", func(ctx octx, _ string) (string, error) {
			return turnstone.AwaitInstance[string](ctx, ctx.Instance()).Await()
		})
		w.open(self)
		begin(w, self, "s", "")
		if f := w.failure("s"); !strings.Contains(f.Error(), "waits for its own end") {
			t.Errorf("it failed with %v", f)
		}
	})
	scenario(t, "an output of another type is an error, and the encoded form gives it as it is", func(w *world) {
		reads := text("Reads", func(ctx octx, id string) (string, error) {
			_, err := turnstone.AwaitInstance[int](ctx, id).Await()
			var bad *turnstone.DecodeError
			if !errors.As(err, &bad) {
				return "", fmt.Errorf("it can be read: %w", err)
			}
			raw, err := ctx.AwaitInstance(id).Await()
			return string(raw), err
		})
		w.open(target, reads)
		begin(w, target, "t", 0)
		begin(w, reads, "r", "t")
		w.raise("t", "end", "done")
		completes(w, "r", `"done"`)
	})
	scenario(t, "a wait costs the turn that makes it, and its answer the turn that takes it", func(w *world) {
		w.cfg.Partitions = 1
		w.open(target, watches)
		begin(w, target, "t", 0)
		w.untilHistory("t", 1, "ExternalSubscribed")
		before := w.node.Metrics().Commands
		begin(w, watches, "w", "t")
		w.untilHistory("w", 1, "AwaitScheduled")
		w.raise("t", "end", "done")
		completes(w, "w", "gave 4")
		if n := w.node.Metrics().Commands - before; w.resident && n > 3 {
			t.Errorf("%d commands for two turns of the one that waits and the last of the other", n)
		}
	})
}
