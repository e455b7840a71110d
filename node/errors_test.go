package node_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/node"
	"github.com/turnstone-dev/turnstone/persistence/pebble"
)

// TestWhatTheCallerGaveWrongIsInvalidInput asks for each refusal of a configuration, an argument or a registration.
func TestWhatTheCallerGaveWrongIsInvalidInput(t *testing.T) {
	n := open(t, config(t, filepath.Join(t.TempDir(), "store")))
	validate := func(change func(*node.Config)) error {
		c := node.Config{Dir: "d"}
		change(&c)
		return c.Validate()
	}
	attach := func(r node.Runtime) error {
		_, err := n.Attach(r)
		return err
	}
	empty := turnstone.NewRegistry()
	twin := turnstone.NewActivity("Double", func(_ turnstone.ActivityContext, n int) (int, error) { return n, nil })
	older := turnstone.NewOrchestration("Twice", func(_ *turnstone.Context, n int) (int, error) { return n, nil }, turnstone.WithVersion("0.1.0"))
	_, noDir := node.OpenReadOnly(context.Background(), "")
	_, verifyNoDir := node.Verify(deadline(t), "")
	_, openNoDir := node.Open(context.Background(), node.Config{})
	for _, c := range []struct {
		err  error
		says string
	}{
		{validate(func(c *node.Config) { c.Dir = "" }), "Config.Dir is empty"},
		{validate(func(c *node.Config) { c.Partitions = -1 }), "Config.Partitions is -1"},
		{validate(func(c *node.Config) { c.Partitions = 4097 }), "Config.Partitions is 4097"},
		{validate(func(c *node.Config) { c.TurnLease = -time.Second }), "Config.TurnLease is -1s"},
		{validate(func(c *node.Config) { c.BackoffBase, c.BackoffMax = 2*time.Second, time.Second }), "more than BackoffMax"},
		{validate(func(c *node.Config) { c.BackoffBase = 2 * time.Minute }), "more than BackoffMax, which is 1m0s"},
		{validate(func(c *node.Config) { c.BackoffBase = time.Microsecond }), "Config.BackoffBase is 1µs"},
		{validate(func(c *node.Config) { c.WatchdogWarn = 1 }), "Config.WatchdogWarn is 1ns"},
		{validate(func(c *node.Config) { c.WorkLease = time.Second }), "Config.WorkLease is 1s; it must be more than 1s"},
		{validate(func(c *node.Config) { c.InstancesMax = -1 }), "Config.InstancesMax is -1"},
		{validate(func(c *node.Config) { c.Limits.PayloadBytes = -1 }), "Config.Limits: "},
		{validate(func(c *node.Config) { c.NodeID = "a\nb" }), "Config.NodeID: "},
		{openNoDir, "Config.Dir is empty"},
		{noDir, "no directory"},
		{verifyNoDir, "no directory"},
		{attach(node.Runtime{ID: "x"}), `runtime "x" has no Registry`},
		{attach(node.Runtime{Registry: empty}), "needs an ID"},
		{attach(node.Runtime{ID: "main", Registry: empty}), "with this ID is attached"},
		{config(t, "d").Registry.Register(twin), "duplicate activity registration: Double"},
		{config(t, "d").Registry.Register(older), "non-monotonic"},
		{config(t, "d").Registry.Merge(config(t, "d").Registry), "duplicate orchestration registration: Twice"},
	} {
		if !errors.Is(c.err, turnstone.ErrInvalidInput) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%v; want an ErrInvalidInput with %q", c.err, c.says)
		}
	}
}

// TestWhatHasStoppedIsErrStopped asks a node that has ended.
func TestWhatHasStoppedIsErrStopped(t *testing.T) {
	n := open(t, config(t, filepath.Join(t.TempDir(), "store")))
	n.Kill()
	_, attached := n.Attach(node.Runtime{ID: "late", Registry: turnstone.NewRegistry()})
	for what, err := range map[string]error{"attach": attached, "shutdown": n.Shutdown(deadline(t))} {
		if !errors.Is(err, turnstone.ErrStopped) || errors.Is(err, turnstone.ErrInvalidInput) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestStoreErrorsAreTheJournals: what is wrong with a directory is told apart by the journal's errors.
func TestStoreErrorsAreTheJournals(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	n := open(t, config(t, dir))
	_, inUse := node.Open(deadline(t), config(t, dir))
	if err := n.Shutdown(deadline(t)); err != nil {
		t.Fatal(err)
	}
	three := config(t, dir)
	three.Partitions = 3
	_, partitions := node.Open(deadline(t), three)
	_, none := node.OpenReadOnly(deadline(t), dir+"-none")
	for want, err := range map[error]error{pebble.ErrInUse: inUse, pebble.ErrPartitions: partitions, pebble.ErrNoStore: none} {
		if !errors.Is(err, want) || errors.Is(err, turnstone.ErrInvalidInput) {
			t.Errorf("%v; want %v", err, want)
		}
	}
}
