package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
)

// codeLimit is a limit of what code gives.
type codeLimit struct {
	row string
	// says is what the failure says of the value; %d is its size.
	says string
	// give gives a value of n bytes, or so many.
	give func(ctx octx, n int) error
	// kind is of the event that the value leaves in the history at the limit, and not above it.
	kind string
}

const bytesOf = " is %d bytes, the limit is %d bytes; make it smaller, or raise Config.Limits."

// there is the error of a call that was for an instance of which there is none: the id was taken.
func there(err error) error {
	if errors.Is(err, turnstone.ErrInstanceNotFound) {
		return nil
	}
	return err
}

// started lets a turn be recorded with what was asked for in it, and gives it up.
func started[T any](ctx octx, f *turnstone.Future[T]) error {
	ctx.Sleep(0)
	f.Cancel()
	return nil
}

var codeLimits = []codeLimit{
	{"activity name", "activity name" + bytesOf, func(ctx octx, n int) error { return started(ctx, ctx.StartActivity(long(n), nil)) }, "ActivityScheduled"},
	{"activity input", "activity input" + bytesOf, func(ctx octx, n int) error {
		return started(ctx, ctx.StartActivity("Sized", fill(n)))
	}, "ActivityScheduled"},
	{"activity result", "activity result bytes is %d, the limit is %d; make it smaller, or raise Config.Limits.", func(ctx octx, n int) error {
		_, err := sized.Call(ctx, n, turnstone.WithRetry(turnstone.NewRetryPolicy(3)))
		return err
	}, "ActivityCompleted"},
	{"child name", "orchestration name" + bytesOf, func(ctx octx, n int) error {
		return started(ctx, ctx.StartChild(long(n), nil, turnstone.WithChildPolicy(turnstone.AbandonChild)))
	}, "SubOrchestrationScheduled"},
	{"child id", "sub-orchestration id" + bytesOf, func(ctx octx, n int) error {
		_, err := ctx.CallChild("Child", nil, turnstone.WithChildID(long(n)))
		return err
	}, "SubOrchestrationScheduled"},
	{"derived child id", `the id of sub-orchestration "Child"` + bytesOf, func(ctx octx, n int) error {
		_, err := ctx.CallChild("Grandparent", nil, turnstone.WithChildID(long(n-2*len("::sub::2"))))
		return err
	}, "SubOrchestrationCompleted"},
	{"child input", "sub-orchestration input" + bytesOf, func(ctx octx, n int) error {
		_, err := ctx.CallChild("Child", fill(n))
		return err
	}, "SubOrchestrationScheduled"},
	{"detached name", "orchestration name" + bytesOf, func(ctx octx, n int) error {
		ctx.StartDetached(long(n), "detached "+fmt.Sprint(n), nil)
		return nil
	}, "OrchestrationChained"},
	{"detached id", "instance id" + bytesOf, func(ctx octx, n int) error { ctx.StartDetached("Child", long(n), nil); return nil }, "OrchestrationChained"},
	{"detached input", "orchestration input" + bytesOf, func(ctx octx, n int) error {
		ctx.StartDetached("Child", "detached "+fmt.Sprint(n), fill(n))
		return nil
	}, "OrchestrationChained"},
	{"event name of a wait", "event name" + bytesOf, func(ctx octx, n int) error { return started(ctx, ctx.WaitEvent(long(n))) }, "ExternalSubscribed"},
	{"queue name of a wait", "queue name" + bytesOf, func(ctx octx, n int) error { return started(ctx, ctx.Dequeue(long(n))) }, "QueueSubscribed"},
	{"query name of a handler", "query name" + bytesOf, func(ctx octx, n int) error {
		ctx.HandleQuery(long(n), func([]byte) ([]byte, error) { return nil, nil })
		ctx.Sleep(0)
		return nil
	}, "TimerCreated"},
	{"receiver of a send", "instance id" + bytesOf, func(ctx octx, n int) error { return there(ctx.Raise(long(n), "e", nil).Err()) }, "SendScheduled"},
	{"name of a send", "queue name" + bytesOf, func(ctx octx, n int) error { return there(ctx.Enqueue("none", long(n), nil).Err()) }, "SendScheduled"},
	{"data of a send", "event data" + bytesOf, func(ctx octx, n int) error { return there(ctx.Raise("none", "e", fill(n)).Err()) }, "SendScheduled"},
	{"instance to await", "instance id" + bytesOf, func(ctx octx, n int) error { return there(ctx.AwaitInstance(long(n)).Err()) }, "AwaitScheduled"},
	{"instance of a read", "instance id" + bytesOf, func(ctx octx, n int) error { return ctx.GetKVFrom(long(n), "k").Err() }, "ActivityScheduled"},
	{"side effect value", "side effect value" + bytesOf, func(ctx octx, n int) error { ctx.SideEffect(func() []byte { return fill(n) }); return nil }, "SideEffectRecorded"},
	{"patch id", "patch id" + bytesOf, func(ctx octx, n int) error { ctx.Patched(long(n)); return nil }, "PatchMarked"},
	{"custom status", "custom status" + bytesOf, func(ctx octx, n int) error { ctx.SetStatus(long(n)); return nil }, ""},
	{"key", "key" + bytesOf, func(ctx octx, n int) error { ctx.KV().Set(long(n), nil); return nil }, "KeyValueSet"},
	{"value of a key", `value of key "k"` + bytesOf, func(ctx octx, n int) error { ctx.KV().Set("k", fill(n)); return nil }, "KeyValueSet"},
	{"keys", "the key-value store has %d keys, the limit is %d keys; clear some, or raise Config.Limits.", func(ctx octx, n int) error {
		for i := range n {
			ctx.KV().Set(fmt.Sprint(i), nil)
		}
		return nil
	}, ""},
	{"open operations", "the instance has more than 35 operations pending: wait for some before asking for more, or raise Config.Limits.",
		func(ctx octx, n int) error {
			for range n - 1 {
				ctx.WaitEvent("never")
			}
			ctx.Sleep(0) // one more
			return nil
		}, "TimerCreated"},
	{"open coroutines", "the instance has more than 35 coroutines: wait for some before starting more, or raise Config.Limits.",
		func(ctx octx, n int) error {
			timer := ctx.Timer(0)
			for range n {
				ctx.Go(func(octx) error { return timer.Err() })
			}
			return timer.Err()
		}, "TimerFired"},
	{"next input", "orchestration input" + bytesOf, func(ctx octx, n int) error {
		if ctx.Execution() > 1 {
			return nil
		}
		return ctx.ContinueAsNew(append(fmt.Append(nil, n), strings.Repeat(" ", n-len(fmt.Sprint(n)))...))
	}, ""},
	{"output", "orchestration output" + bytesOf, nil, "OrchestrationCompleted"},
}

// TestLimitsOfWhatCodeGives runs code below, at and above each limit.
func TestLimitsOfWhatCodeGives(t *testing.T) {
	for _, c := range codeLimits {
		scenario(t, c.row, func(w *world) { c.try(w) })
	}
}

// calling is an orchestration that calls a child.
func calling(name, child string) turnstone.Handler {
	return turnstone.NewOrchestration(name, func(ctx octx, _ turnstone.Raw) (turnstone.Raw, error) { return ctx.CallChild(child, nil) })
}

func (c *codeLimit) try(w *world) {
	field := fieldOf(w.t, c.row)
	limit := of(tight, field)
	w.cfg.Limits, w.reopened = tight, true // what a limit ends leaves memory
	o := turnstone.NewOrchestration("O", func(ctx octx, n int) (turnstone.Raw, error) {
		if c.give == nil {
			return fill(n), nil
		}
		return turnstone.Raw(`"ok"`), c.give(ctx, n)
	})
	w.open(sized, named("Child"), named(long(29)), named(long(30)), calling("Parent", "Child"), calling("Grandparent", "Parent"), o)
	for n := limit - 1; n <= limit; n++ {
		id := fmt.Sprint("i", n)
		begin(w, o, id, n)
		if end := w.end(id); end.Failure != nil {
			w.t.Errorf("%d of %d: %v; history:\n%s", n, limit, end.Failure, w.story(id))
		}
		if c.kind != "" && w.history(id, 0).count(c.kind) == 0 {
			w.t.Errorf("%d of %d left no %s:\n%s", n, limit, c.kind, w.story(id))
		}
	}
	c.above(w, o, limit, field)
}

// above gives one more than the limit.
func (c *codeLimit) above(w *world, o *orch[int, turnstone.Raw], limit int, field string) {
	begin(w, o, "above", limit+1)
	f, what := w.failure("above"), c.says+field
	if strings.Contains(what, "%d") {
		what = fmt.Sprintf(what, limit+1, limit)
	}
	var e *turnstone.Error
	if f.Category != turnstone.CategoryApplication || !errors.As(f, &e) || e.Kind != "Limit" || !strings.Contains(f.Error(), what) {
		w.t.Errorf("one above the limit: %+v, %v, want %q", f, f, what)
	}
	if c.kind != "" && w.history("above", 0).count(c.kind) != 0 {
		w.t.Errorf("one above the limit has left %s:\n%s", c.kind, w.story("above"))
	}
	if d := w.describe("above"); d.CustomStatus != nil || d.Execution != 1 {
		w.t.Errorf("one above the limit: %+v", d)
	}
	if entries, err := w.c.KVList(w.ctx, "above"); len(entries) != 0 || err != nil {
		w.t.Errorf("one above the limit has left keys: %v, %v", entries, err)
	}
}
