package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/node"
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
	_, noDir := node.OpenReadOnly(context.Background(), "", nil)
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
		{validate(func(c *node.Config) { c.BackoffBase, c.BackoffMax = 2*time.Second, time.Second }), "more than BackoffMax, which is 1s"},
		{validate(func(c *node.Config) { c.BackoffBase = 2 * time.Minute }), "more than BackoffMax, which is 1m0s"},
		{validate(func(c *node.Config) { c.BackoffBase = time.Microsecond }), "Config.BackoffBase is 1µs"},
		{validate(func(c *node.Config) { c.WatchdogWarn = 1 }), "Config.WatchdogWarn is 1ns"},
		{validate(func(c *node.Config) { c.WorkLease = time.Second }), "Config.WorkLease is 1s; it must be more than 1s"},
		{validate(func(c *node.Config) { c.InstancesMax = -1 }), "Config.InstancesMax is -1"},
		{validate(func(c *node.Config) { c.Limits.PayloadBytes = -1 }), "Config.Limits.PayloadBytes is -1; it cannot be negative (0 means the default, 2097152)"},
		{validate(func(c *node.Config) { c.NodeID = "a\nb" }), "Config.NodeID: "},
		{openNoDir, "Config.Dir is empty"},
		{noDir, "no directory"},
		{verifyNoDir, "no directory"},
		{attach(node.Runtime{ID: "x"}), `runtime "x" has no Runtime.Registry`},
		{attach(node.Runtime{Registry: empty}), "Runtime.ID is empty; name the runtime"},
		{attach(node.Runtime{ID: "main", Registry: empty}), `attach "main": a runtime with this ID is attached`},
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

// TestWhatIsWrongWithADirectoryIsToldApart opens directories that no node can run on.
func TestWhatIsWrongWithADirectoryIsToldApart(t *testing.T) {
	stopped := func(t *testing.T, dir string) error { return open(t, config(t, dir)).Shutdown(deadline(t)) }
	for name, c := range map[string]struct {
		want error
		make func(t *testing.T, cfg *node.Config) error
	}{
		"in use":            {node.ErrInUse, func(t *testing.T, cfg *node.Config) error { open(t, *cfg); return nil }},
		"other partitions":  {node.ErrPartitions, func(t *testing.T, cfg *node.Config) error { cfg.Partitions = 3; return stopped(t, cfg.Dir) }},
		"another's":         {node.ErrNotStore, func(_ *testing.T, cfg *node.Config) error { return os.MkdirAll(filepath.Join(cfg.Dir, "mine"), 0o700) }},
		"a link to nothing": {node.ErrNotWritable, func(_ *testing.T, cfg *node.Config) error { return os.Symlink("nothing", cfg.Dir) }},
		"no witness": {node.ErrBelowWitness, func(t *testing.T, cfg *node.Config) error {
			return errors.Join(stopped(t, cfg.Dir), os.Remove(filepath.Join(cfg.Dir, "witness")))
		}},
		"of a newer version": {node.ErrFormat, func(t *testing.T, cfg *node.Config) error {
			return errors.Join(stopped(t, cfg.Dir), age(cfg.Dir))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			cfg := config(t, dir)
			if err := c.make(t, &cfg); err != nil {
				t.Fatal(err)
			}
			_, err := node.Open(deadline(t), cfg)
			if !errors.Is(err, c.want) || errors.Is(err, turnstone.ErrInvalidInput) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%v; want %v, and the directory", err, c.want)
			}
			if f, ok := node.FailureOf(err); ok {
				t.Errorf("the store has not failed, and the failure is %+v", f)
			}
		})
	}
	if _, err := node.OpenReadOnly(deadline(t), filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, node.ErrNoStore) {
		t.Errorf("nothing to read: %v", err)
	}
}

// age has a store look as a newer version of its database would leave it.
func age(dir string) error {
	markers, err := filepath.Glob(filepath.Join(dir, "db", "marker.format-version.*"))
	if err != nil || len(markers) != 1 {
		return fmt.Errorf("the markers are %v, %w", markers, err)
	}
	return os.Rename(markers[0], strings.TrimSuffix(markers[0], filepath.Ext(markers[0]))+".999")
}
