package node_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// TestF42_an_instance_that_has_ended_takes_no_event_and_no_cancel: it says so, in whichever way it ended, while it is still
// in memory and after a restart. What was acknowledged before the end, and is repeated, is answered as it was.
func TestF42_an_instance_that_has_ended_takes_no_event_and_no_cancel(t *testing.T) {
	ctx := deadline(t)
	o := turnstone.NewOrchestration("O", func(ctx *turnstone.Context, fails bool) (bool, error) {
		told, err := turnstone.WaitEvent[bool](ctx, "go").Await()
		if err == nil && fails {
			err = errors.New("as it was told")
		}
		return told, err
	})
	cfg := config(t, filepath.Join(t.TempDir(), "store"))
	if err := cfg.Registry.Register(o); err != nil {
		t.Fatal(err)
	}
	n := open(t, cfg)
	key := client.WithRequestKey("k")
	for id, fails := range map[string]bool{"completed": false, "failed": true, "cancelled": false} {
		run, err := client.Start(ctx, n.Client(), id, o, fails)
		if err != nil {
			t.Fatal(err)
		}
		if id == "cancelled" {
			err = run.Cancel(ctx, "enough")
		} else {
			err = client.Raise(ctx, n.Client(), id, "go", true, key)
		}
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if out, err := run.Wait(ctx); (err == nil) != (id == "completed") {
			t.Fatalf("%s: %v, %v", id, out, err)
		}
	}
	refused := func(when string) {
		t.Helper()
		for _, id := range []string{"completed", "failed", "cancelled"} {
			run := client.Attach[bool](n.Client(), id)
			for what, err := range map[string]error{
				"an event":               client.Raise(ctx, n.Client(), id, "go", true),
				"an event with a key":    n.Client().Raise(ctx, id, "late", nil, client.WithRequestKey("new "+when)),
				"a cancel":               run.Cancel(ctx, "too late"),
				"a cancel with a key":    n.Client().Cancel(ctx, id, "too late", client.WithRequestKey("cancel "+when)),
				"an event after another": n.Client().Raise(ctx, id, "late", nil),
			} {
				if !errors.Is(err, turnstone.ErrInstanceEnded) || !strings.Contains(err.Error(), `instance "`+id+`"`) {
					t.Errorf("%s, %s, %s: %v", when, id, what, err)
				}
				if errors.Is(err, turnstone.ErrInstanceNotFound) || errors.Is(err, turnstone.ErrBusy) {
					t.Errorf("%s, %s, %s: %v", when, id, what, err)
				}
			}
			if err := client.Raise(ctx, n.Client(), id, "go", true, key); id != "cancelled" && err != nil {
				t.Errorf("%s, %s: an event that was acknowledged is refused when it is repeated: %v", when, id, err)
			}
		}
		if err := client.Raise(ctx, n.Client(), "mistyped", "go", true); !errors.Is(err, turnstone.ErrInstanceNotFound) || errors.Is(err, turnstone.ErrInstanceEnded) {
			t.Errorf("%s, an unknown id: %v", when, err)
		}
	}
	refused("at once")
	if err := n.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	n = open(t, cfg)
	refused("after a restart")
}
