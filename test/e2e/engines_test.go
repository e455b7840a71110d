package e2e

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/actors"
	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/ids"
	"github.com/turnstone-dev/turnstone/internal/localport"
	"github.com/turnstone-dev/turnstone/node"
	"github.com/turnstone-dev/turnstone/persistence/pebble"
)

// begunBy fills the store of a world, before its node opens it, with an instance that an engine of another version began. It
// waits for the event go. Its id is the version, or unpinned.
func begunBy(w *world, version string, o *orch[string, string]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	store, err := pebble.Open(pebble.Options{Dir: w.cfg.Dir, Partitions: w.cfg.Partitions})
	if err != nil {
		w.t.Fatal(err)
	}
	registry := turnstone.NewRegistry(turnstone.WithLogger(w.cfg.Logger))
	if err := registry.Register(o); err != nil {
		w.t.Fatal(err)
	}
	ready, stopped := make(chan error, 1), make(chan error, 1)
	e := actors.Start(actors.Config{Journal: store, Node: "n", Process: ids.Hex(ids.Real), Logger: slog.New(slog.DiscardHandler)},
		func(err error) { ready <- err })
	if err := <-ready; err != nil {
		w.t.Fatal(err)
	}
	if _, err := e.Attach(consumer.Consumer{ID: "c", Handlers: registered{registry}, TurnSlots: 1, EngineVersion: version}); err != nil {
		w.t.Fatal(err)
	}
	id := cmp.Or(version, "unpinned")
	c := client.New(localport.New(engine{e}, store, localport.Options{}), nil)
	if _, err := client.Start(ctx, c, id, o, "in"); err != nil {
		w.t.Fatal(err)
	}
	w.until("its first turn", func() bool { d, err := c.Describe(ctx, id); return err == nil && d.Turn == 1 })
	e.Stop(func(err error) { stopped <- err })
	if err := errors.Join(<-stopped, store.Close()); err != nil {
		w.t.Fatal(err)
	}
	w.reopened = true
}

// stays waits until an instance has been tried without a runtime that may replay it, and checks that nothing became of it.
func (w *world) stays(id string, tries int) {
	w.t.Helper()
	w.until("the instance is held", func() bool { h := w.describe(id).Held; return h != nil && h.Attempts >= tries })
	d := w.describe(id)
	if d.State != client.StateRunning || d.Turn != 1 || d.EngineVersion != id || d.Inbox != 1 || d.Held.End != "" {
		w.t.Errorf("%s is %+v, held %+v", id, d, d.Held)
	}
	says(w.t, d.Why, "was begun by engine version "+id, "no attached runtime can replay", "Engines")
}

func TestEngineVersions(t *testing.T) {
	o := text("O", func(ctx octx, in string) (string, error) {
		v, err := turnstone.WaitEvent[string](ctx, "go").Await()
		return in + v, err
	})
	quick := func(w *world) { w.cfg.MaxAttempts, w.cfg.BackoffBase, w.cfg.BackoffMax = 3, ms, 2*ms }
	// later opens the store with an instance of a later engine, and asks it for a turn.
	later := func(w *world) {
		quick(w)
		begunBy(w, "99.0.0", o)
		w.open(o)
		w.raise("99.0.0", "go", "!")
	}
	scenario(t, "CAP_001 an instance pinned to a later engine waits", func(w *world) {
		later(w)
		w.stays("99.0.0", 1)
	})
	scenario(t, "CAP_003 an instance pinned to a later engine uses up no attempts", func(w *world) {
		later(w)
		w.stays("99.0.0", 9) // three times as many as there are attempts
	})
	scenario(t, "CAP_004 an instance pinned to a later engine is not touched", func(w *world) {
		later(w)
		before := w.story("99.0.0")
		w.stays("99.0.0", 2)
		if after := w.story("99.0.0"); after != before {
			t.Errorf("its history was\n%s\nand is\n%s", before, after)
		}
		w.cancel("99.0.0", "it is not wanted")
		w.cancelled("99.0.0", "it is not wanted")
	})
	scenario(t, "CAP_015 a pin of the start is kept", func(w *world) {
		w.cfg.Engines = []node.EngineRange{{}}
		begunBy(w, "3.1.4", o)
		w.open(o)
		w.raise("3.1.4", "go", "!")
		completes(w, "3.1.4", "in!")
		if v := w.describe("3.1.4").EngineVersion; v != "3.1.4" {
			t.Errorf("its pin is %s", v)
		}
	})
	scenario(t, "CAP_009 a range leaves an instance of another alone", func(w *world) {
		quick(w)
		w.cfg.Engines = []node.EngineRange{{From: "0.1.0", To: "0.9.9"}, {From: "2.0.0", To: "2.9.9"}}
		begunBy(w, "0.0.9", o)
		begunBy(w, "2.5.0", o)
		w.open(o)
		w.raise("0.0.9", "go", "!")
		w.raise("2.5.0", "go", "!")
		completes(w, "2.5.0", "in!")
		w.stays("0.0.9", 2)
		w.cfg.Engines = nil // each version up to this one
		w.restart()
		completes(w, "0.0.9", "in!")
	})
}

func TestEnginesOfSeveralRuntimes(t *testing.T) {
	o := text("O", func(ctx octx, in string) (string, error) {
		v, err := turnstone.WaitEvent[string](ctx, "go").Await()
		return in + v, err
	})
	// An instance that is held goes on with a runtime that is attached later and has a range for it.
	scenario(t, "every range counts", func(w *world) {
		w.cfg.MaxAttempts, w.cfg.BackoffBase, w.cfg.BackoffMax = 3, ms, 2*ms
		for _, v := range []string{"1.5.0", "2.5.0", "3.5.0"} {
			begunBy(w, v, o)
		}
		w.open(o)
		for _, v := range []string{"1.5.0", "2.5.0", "3.5.0"} {
			w.raise(v, "go", v)
			w.stays(v, 2)
		}
		own := node.EngineRange{From: node.EngineVersion, To: node.EngineVersion}
		for id, more := range map[string][]node.EngineRange{
			"two": {own, {From: "1.0.0", To: "1.9.9"}, {From: "2.5.0", To: "2.5.0"}}, "one": {own, {From: "3.0.0", To: "3.4.9"}},
		} {
			detach, err := w.node.Attach(node.Runtime{ID: id, Registry: w.registry, Engines: more})
			if err != nil {
				t.Fatal(err)
			}
			defer detach()
		}
		completes(w, "1.5.0", "in1.5.0")
		completes(w, "2.5.0", "in2.5.0")
		w.stays("3.5.0", 2)
		detach, err := w.node.Attach(node.Runtime{ID: "open", Registry: w.registry, Engines: []node.EngineRange{{From: "0.1.0"}}})
		if err != nil {
			t.Fatal(err)
		}
		defer detach()
		completes(w, "3.5.0", "in3.5.0")
	})
}

func TestThisEngine(t *testing.T) {
	child := text("Child", func(ctx octx, in string) (string, error) { return upper.Call(ctx, in) })
	o := text("O", func(ctx octx, in string) (string, error) { return child.Call(ctx, in) })
	ran := func(w *world) {
		w.open(upper, child, o)
		begin(w, o, "i", "x")
		completes(w, "i", "X")
	}
	scenario(t, "CAP_002 an instance without a special pin completes", ran)
	scenario(t, "CAP_005 a new instance is pinned to this engine", func(w *world) {
		ran(w)
		if v := w.describe("i").EngineVersion; v != node.EngineVersion {
			t.Errorf("its pin is %q", v)
		}
		if v := w.turns("i", 0)[0].Header.GetEngineVersion(); v != node.EngineVersion {
			t.Errorf("its first turn says %q", v)
		}
	})
	scenario(t, "CAP_011 a child is pinned to this engine", func(w *world) {
		ran(w)
		if v := w.describe("i::sub::2").EngineVersion; v != node.EngineVersion {
			t.Errorf("its pin is %q", v)
		}
	})
	scenario(t, "CAP_006 an instance without a pin is run", func(w *world) {
		wait := text("Wait", func(ctx octx, in string) (string, error) {
			v, err := turnstone.WaitEvent[string](ctx, "go").Await()
			return in + v, err
		})
		begunBy(w, "", wait)
		w.open(wait)
		w.raise("unpinned", "go", "!")
		completes(w, "unpinned", "in!")
	})
	scenario(t, "CAP_012 the start logs the range", func(w *world) {
		w.cfg.Engines = []node.EngineRange{{To: "0.1.0"}, {From: "2.0.0"}}
		ran(w)
		if log := w.log.String(); !strings.Contains(log, `engine_versions="0.0.0 to 0.1.0, 2.0.0 and later"`) {
			t.Errorf("the log does not say the range:\n%s", log)
		}
	})
}
