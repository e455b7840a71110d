package actors

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/persistencetest"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// cost is what the life of one instance costs.
type cost struct {
	name string
	code func(c *replay.Context) // before the handler returns
	// send is what a client does after the first turn.
	send func(w *world)
	// turns are the commits of turns: the first one, and one for each time that the code had to wait.
	turns int
}

func await(f *replay.Future) { _, _ = f.Await() }

func costActivity(c *replay.Context, name string) *replay.Future {
	return c.Activity(name, nil, replay.ActivityOptions{})
}

// inTurn are the operations that end in the turn that begins them. They cost nothing of their own.
func inTurn(c *replay.Context) {
	status := "half"
	c.SetStatus(&status)
	c.SetStatus(nil)
	c.KVSet("a", []byte("1"))
	c.KVSet("b", []byte("2"))
	c.KVGet("a")
	c.KVAll()
	c.KVClear("a")
	c.KVPruneBefore(0)
	c.KVClearAll()
	c.SideEffect(func() []byte { return []byte("computed") })
	c.Patched("new")
	c.DeprecatePatch("old")
	c.StrictInputs()
	c.NewGUID()
	c.UTCNow()
	c.Random()
	await(c.Go(func(c *replay.Context) (any, error) { return nil, nil }))
	_ = c.Scope(func(c *replay.Context) error {
		c.Timer(time.Hour)
		c.Dequeue("never")
		c.WaitEvent("never", turnpb.WaitMode_WAIT_MODE_BUFFERED)
		costActivity(c, "echo").Cancel()
		return nil
	})
}

var costs = []cost{
	{name: "nothing", code: func(*replay.Context) {}, turns: 1},
	{name: "all that ends in its turn", code: inTurn, turns: 1},
	{name: "an activity", code: func(c *replay.Context) { await(costActivity(c, "echo")) }, turns: 2},
	{name: "the same and all that ends in its turn", code: func(c *replay.Context) {
		inTurn(c)
		await(costActivity(c, "echo"))
		inTurn(c)
	}, turns: 2},
	{name: "a timer", code: func(c *replay.Context) { await(c.Timer(time.Second)) }, turns: 2},
	{name: "an event", code: func(c *replay.Context) { await(c.WaitEvent("go", turnpb.WaitMode_WAIT_MODE_BUFFERED)) },
		send: func(w *world) { w.raise("i", "go", "x") }, turns: 2},
	{name: "a message of a queue", code: func(c *replay.Context) { await(c.Dequeue("go")) }, send: func(w *world) {
		w.deliver(arrival.Delivery{ID: "i", Message: &turnpb.Message{
			Kind: &turnpb.Message_QueueMessage{QueueMessage: &turnpb.QueueMessage{Name: "go"}}}})
	}, turns: 2},
	{name: "a cancel", code: func(c *replay.Context) { await(c.Timer(time.Hour)) },
		send: func(w *world) { w.cancel("i", "enough") }, turns: 2},
	{name: "a race whose losers are given up", code: func(c *replay.Context) {
		c.Race(costActivity(c, "echo"), c.Timer(time.Hour), c.Dequeue("go"))
	}, turns: 2},
	{name: "a retry: an activity, a timer, the activity again", code: func(c *replay.Context) {
		f := costActivity(c, "fails")
		await(f)
		await(c.Timer(time.Second))
		await(c.Activity("echo", nil, replay.ActivityOptions{Attempt: 2, First: f.Event()}))
	}, turns: 4},
	{name: "continue as new", code: func(c *replay.Context) {
		if c.Execution() == 1 {
			inTurn(c)
			c.ContinueAsNew(nil, "")
		}
	}, turns: 2},
	{name: "a value of another instance", code: func(c *replay.Context) { await(c.KVFrom("other", "key")) }, turns: 2},
	{name: "a detached orchestration", code: func(c *replay.Context) { c.Detached("empty", "d", nil, replay.DetachedOptions{}) }, turns: 2},
	{name: "a child", code: func(c *replay.Context) { await(c.Child("empty", nil, replay.ChildOptions{})) }, turns: 3},
}

// TestCommitsByOperation: no operation costs a commit that its meaning does not need. An instance costs one commit for its
// start and first turn together, and one for each wait that ends; what it sends within its partition, and the bookkeeping of
// activities, timers and leases, costs none.
func TestCommitsByOperation(t *testing.T) {
	for _, c := range costs {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Config{})
				w.disk = persistencetest.NewDisk(1)
				w.open()
				w.attach(basics().orchestration("costs", func(rc *replay.Context, _ []byte) ([]byte, error) {
					c.code(rc)
					return nil, nil
				}).orchestration("empty", func(*replay.Context, []byte) ([]byte, error) { return nil, nil }).
					activity("fails", func(context.Context, consumer.ActivityInfo, consumer.Heart, []byte) ([]byte, error) {
						return nil, errors.New("it fails")
					}))
				begun := w.journal.all()
				w.start("i", "costs", "")
				if c.send != nil {
					synctest.Wait()
					c.send(w)
				}
				pass(5 * time.Second)
				if !w.head("i").Status.Terminal() {
					t.Fatalf("it has not ended: %v", w.story("i", 1))
				}
				got := w.journal.all()
				for command, n := range begun {
					if got[command] -= n; got[command] == 0 {
						delete(got, command)
					}
				}
				want := map[string]int{fmt.Sprintf("%T", &persistence.CommitTurn{}): c.turns}
				if !maps.Equal(got, want) {
					t.Errorf("it costs %v, want %v", got, want)
				}
				w.close()
			})
		})
	}
}
