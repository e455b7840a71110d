package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

func TestMain(m *testing.M) {
	if os.Getenv(failedVar) != "" {
		os.Exit(m.Run()) // a store that has failed leaves goroutines behind
	}
	goleak.VerifyTestMain(m)
}

var (
	double = turnstone.NewActivity("Double", func(_ turnstone.ActivityContext, n int) (int, error) { return 2 * n, nil })
	twice  = turnstone.NewOrchestration("Twice", func(ctx *turnstone.Context, n int) (int, error) { return double.Call(ctx, n) })
	wait   = turnstone.NewOrchestration("Wait", func(ctx *turnstone.Context, _ int) (string, error) {
		return turnstone.WaitEvent[string](ctx, "go").Await()
	})
)

func config(t *testing.T, dir string) node.Config {
	t.Helper()
	r := turnstone.NewRegistry(turnstone.WithLogger(slog.New(slog.DiscardHandler)))
	if err := r.Register(double, twice, wait); err != nil {
		t.Fatal(err)
	}
	return node.Config{Dir: dir, Partitions: 2, Registry: r, Logger: slog.New(slog.DiscardHandler)}
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T, cfg node.Config) *node.Node {
	t.Helper()
	n, err := node.Open(deadline(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Kill)
	return n
}

func run(t *testing.T, n *node.Node, id string, in int) {
	t.Helper()
	ctx := deadline(t)
	r, err := client.Start(ctx, n.Client(), id, twice, in)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := r.Wait(ctx); err != nil || out != 2*in {
		t.Fatalf("%s gave %d, %v", id, out, err)
	}
}

// TestF39_EveryMaxAttemptsOpens and runs, also after a crash: the smallest value and the largest.
func TestF39_EveryMaxAttemptsOpens(t *testing.T) {
	for _, most := range []uint32{1, 2, 3, 10, math.MaxUint32} {
		cfg := config(t, filepath.Join(t.TempDir(), "store"))
		cfg.MaxAttempts = most
		n := open(t, cfg)
		run(t, n, "a", 4)
		n.Kill()
		n = open(t, cfg)
		run(t, n, "b", 5)
		if err := n.Shutdown(deadline(t)); err != nil {
			t.Errorf("with MaxAttempts %d: %v", most, err)
		}
	}
}

func TestOpenRunShutdownReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	n := open(t, config(t, dir))
	run(t, n, "a", 4)
	id := n.ID()
	if err := n.Shutdown(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if err := n.Shutdown(deadline(t)); err != nil {
		t.Errorf("a second shutdown: %v", err)
	}
	// Read the metrics after the shutdown: a waiter may get a result before the turn that gave it is counted.
	if m := n.Metrics(); m.Commits != 2 || m.Syncs == 0 || m.Commands < 2 {
		t.Errorf("one activity cost %d turn commits, %d commands, %d syncs; want 2 commits", m.Commits, m.Commands, m.Syncs)
	}
	select {
	case <-n.Stopped():
	default:
		t.Error("it does not say that it has stopped")
	}
	if _, err := n.Client().Status(context.Background(), "a"); !errors.Is(err, turnstone.ErrStopped) {
		t.Errorf("a client of a node that has stopped: %v", err)
	}
	if _, err := n.Client().Start(context.Background(), "late", "Any", nil); !errors.Is(err, turnstone.ErrStopped) || errors.Is(err, turnstone.ErrBusy) {
		t.Errorf("a start on a node that has stopped: %v", err)
	}
	n = open(t, config(t, dir))
	if n.ID() != id || id == "" {
		t.Errorf("the node's id was %q and is %q", id, n.ID())
	}
	if s, err := n.Client().Status(deadline(t), "a"); err != nil || s.State != client.StateCompleted {
		t.Errorf("status %+v, %v", s, err)
	}
	run(t, n, "b", 5)
}

// Kill leaves what a crash leaves: all that was acknowledged is there, and goes on.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	n := open(t, config(t, dir))
	ctx := deadline(t)
	for i := range 20 {
		if _, err := client.Start(ctx, n.Client(), fmt.Sprint("w", i), wait, 0); err != nil {
			t.Fatal(err)
		}
	}
	n.Kill()
	if err := n.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("a shutdown after a kill: %v", err)
	}
	n = open(t, config(t, dir))
	for i := range 20 {
		id := fmt.Sprint("w", i)
		if err := client.Raise(ctx, n.Client(), id, "go", id); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		id := fmt.Sprint("w", i)
		if out, err := client.Attach[string](n.Client(), id).Wait(ctx); err != nil || out != id {
			t.Errorf("%s gave %q, %v", id, out, err)
		}
	}
}

func TestShutdownTellsActivities(t *testing.T) {
	started, told := make(chan struct{}, 1), make(chan struct{}, 1)
	slow := turnstone.NewActivity("Slow", func(ctx turnstone.ActivityContext, first bool) (string, error) {
		if !first {
			return "again", nil
		}
		started <- struct{}{}
		<-ctx.Done()
		told <- struct{}{}
		return "", ctx.Err()
	})
	o := turnstone.NewOrchestration("O", func(ctx *turnstone.Context, first bool) (string, error) { return slow.Call(ctx, first) })
	cfg := config(t, filepath.Join(t.TempDir(), "store"))
	if err := cfg.Registry.Register(slow, o); err != nil {
		t.Fatal(err)
	}
	n, ctx := open(t, cfg), deadline(t)
	if _, err := client.Start(ctx, n.Client(), "i", o, true); err != nil {
		t.Fatal(err)
	}
	<-started
	if err := n.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	<-told
	ro, err := node.OpenReadOnly(ctx, cfg.Dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := ro.Reader().Describe(ctx, "i"); err != nil || d.State != client.StateRunning || d.OpenActivities != 1 {
		t.Errorf("what was left: %+v, %v", d, err)
	}
	if err := ro.Close(); err != nil {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	base := t.TempDir()
	good := filepath.Join(base, "good")
	n := open(t, config(t, good))
	run(t, n, "a", 1)
	refused := func(what string, err error, words ...string) {
		t.Helper()
		if err == nil {
			t.Errorf("%s was opened", what)
			return
		}
		for _, w := range words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", what, err, w)
			}
		}
	}
	_, err := node.Open(deadline(t), config(t, good))
	refused("a store in use", err, good, "use")
	_, err = node.OpenReadOnly(deadline(t), good, nil)
	refused("a store in use, for reading", err, good, "use")
	_, err = node.Verify(deadline(t), good)
	refused("a store in use, to verify", err, good, "use")
	if err := n.Shutdown(deadline(t)); err != nil {
		t.Fatal(err)
	}
	other := config(t, good)
	other.Partitions = 3
	_, err = node.Open(deadline(t), other)
	refused("another number of partitions", err, "2", "3", "partition")

	foreign := filepath.Join(base, "foreign")
	if err := os.MkdirAll(foreign, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(foreign, "notes.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = node.Open(deadline(t), config(t, foreign))
	refused("a directory that is no store", err, foreign, "store")
	if _, err := os.Stat(filepath.Join(foreign, "notes.txt")); err != nil {
		t.Errorf("the foreign file: %v", err)
	}
	_, err = node.OpenReadOnly(deadline(t), filepath.Join(base, "nothing"), nil)
	refused("a directory that does not exist, for reading", err, "nothing")
	if _, err := os.Stat(filepath.Join(base, "nothing")); err == nil {
		t.Error("reading made a directory")
	}
	_, err = node.OpenReadOnly(deadline(t), "", nil)
	refused("no directory", err, "directory")
	_, err = node.Verify(deadline(t), "")
	refused("no directory to verify", err, "directory")
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := node.Open(over, config(t, good)); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: %v", err)
	}
	if _, err := node.Verify(over, good); !errors.Is(err, context.Canceled) {
		t.Errorf("a verification whose context is over: %v", err)
	}
	v, err := node.Verify(deadline(t), good)
	if err != nil || len(v.Damages) != 0 || !strings.Contains(v.Summary, "2 partitions") {
		t.Errorf("verify: %+v, %v", v, err)
	}
}

func TestConfigNamesTheWrongField(t *testing.T) {
	for field, change := range map[string]func(*node.Config){
		"Dir":            func(c *node.Config) { c.Dir = "" },
		"Partitions":     func(c *node.Config) { c.Partitions = 4097 },
		"BackoffBase":    func(c *node.Config) { c.BackoffBase, c.BackoffMax = 2, 1 },
		"BackoffMax":     func(c *node.Config) { c.BackoffMax = -1 },
		"PayloadBytes":   func(c *node.Config) { c.Limits.PayloadBytes = -1 },
		"TurnLease":      func(c *node.Config) { c.TurnLease = -1 },
		"Grace":          func(c *node.Config) { c.Grace = -1 },
		"WatchdogWarn":   func(c *node.Config) { c.WatchdogWarn = -1 },
		"InstancesMax":   func(c *node.Config) { c.InstancesMax = -1 },
		"NodeID":         func(c *node.Config) { c.NodeID = "a\nb" },
		"WorkLease":      func(c *node.Config) { c.WorkLease = -time.Second },
		"Config.Partiti": func(c *node.Config) { c.Partitions = -1 },
	} {
		cfg := node.Config{Dir: "d"}
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&cfg)
		if _, err := node.Open(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestIdentity(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	cfg := config(t, dir)
	cfg.NodeID = "configured"
	n := open(t, cfg)
	if n.ID() != "configured" {
		t.Errorf("id %q", n.ID())
	}
	if err := n.Shutdown(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "node"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Open(deadline(t), config(t, dir)); err == nil || !strings.Contains(err.Error(), "node id") {
		t.Errorf("an empty id: %v", err)
	}
}

// Two runtimes with different handlers work on one journal.
func TestTwoRuntimes(t *testing.T) {
	ctx := deadline(t)
	cfg := config(t, filepath.Join(t.TempDir(), "store"))
	cfg.Registry = nil
	n := open(t, cfg)
	if started, err := n.Client().Start(ctx, "a", "Twice", []byte("21")); err != nil || !started.NoHandler {
		t.Fatalf("%+v, %v", started, err)
	}
	turns, work := turnstone.NewRegistry(), turnstone.NewRegistry()
	if err := errors.Join(turns.Register(twice), work.Register(double)); err != nil {
		t.Fatal(err)
	}
	for _, r := range []node.Runtime{{ID: "turns", Registry: turns, TurnSlots: 1, ActivitySlots: -1}, {ID: "work", Registry: work, TurnSlots: -1}} {
		if _, err := n.Attach(r); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := client.Attach[int](n.Client(), "a").Wait(ctx); err != nil || out != 42 {
		t.Errorf("it gave %d, %v", out, err)
	}
	for what, r := range map[string]node.Runtime{
		"a second of its name": {ID: "work", Registry: work}, "no registry": {ID: "x"},
	} {
		if _, err := n.Attach(r); err == nil {
			t.Errorf("%s was attached", what)
		}
	}
}

// TestF38_the_slots_of_an_attached_runtime_default_as_those_of_a_config: 0 is the default, and negative is none.
func TestF38_the_slots_of_an_attached_runtime_default_as_those_of_a_config(t *testing.T) {
	ctx := deadline(t)
	registry := turnstone.NewRegistry()
	if err := registry.Register(twice, double); err != nil {
		t.Fatal(err)
	}
	cfg := config(t, filepath.Join(t.TempDir(), "store"))
	cfg.Registry, cfg.TurnSlots, cfg.ActivitySlots = registry, -1, -1
	n := open(t, cfg)
	start := func(id string, noHandler bool) *client.Run[int] {
		t.Helper()
		run, err := client.Start(ctx, n.Client(), id, twice, 21)
		if err != nil || run.Started().NoHandler != noHandler {
			t.Fatalf("%s: %+v, %v", id, run.Started(), err)
		}
		return run
	}
	runs := []*client.Run[int]{start("a node without slots", true)}
	if _, err := n.Attach(node.Runtime{ID: "none", Registry: registry, TurnSlots: -1, ActivitySlots: math.MinInt}); err != nil {
		t.Fatal(err)
	}
	runs = append(runs, start("a runtime without slots", true))
	if _, err := n.Attach(node.Runtime{ID: "default", Registry: registry}); err != nil {
		t.Fatal(err)
	}
	for _, run := range append(runs, start("a runtime with its defaults", false)) {
		if out, err := run.Wait(ctx); err != nil || out != 42 {
			t.Errorf("it gave %d, %v", out, err)
		}
	}
}

// TestF42_a_start_of_a_name_without_code_is_kept_and_says_so has a name that no runtime has, a version that none has, and
// a runtime without turn slots, which runs no orchestration. What was started runs as soon as a runtime has its code.
func TestF42_a_start_of_a_name_without_code_is_kept_and_says_so(t *testing.T) {
	ctx := deadline(t)
	cfg := config(t, filepath.Join(t.TempDir(), "store"))
	cfg.Registry = nil
	n := open(t, cfg)
	registry := turnstone.NewRegistry()
	if err := registry.Register(twice, double); err != nil {
		t.Fatal(err)
	}
	start := func(id, name string, noHandler bool, options ...client.StartOption) {
		t.Helper()
		if s, err := n.Client().Start(ctx, id, name, []byte("21"), options...); err != nil || s.NoHandler != noHandler {
			t.Errorf("%s %s: %+v, %v", id, name, s, err)
		}
	}
	for _, r := range []node.Runtime{{ID: "work", Registry: registry, TurnSlots: -1, ActivitySlots: 1}, {ID: "turns", Registry: registry, ActivitySlots: -1}} {
		start("before "+r.ID, "Twice", true)
		if _, err := n.Attach(r); err != nil {
			t.Fatal(err)
		}
	}
	start("a", "Twice", false)
	start("b", "Twice", true, client.WithVersion("9.0.0"))
	start("c", "Twise", true)
	for _, id := range []string{"a", "before work", "before turns"} {
		if out, err := client.Attach[int](n.Client(), id).Wait(ctx); err != nil || out != 42 {
			t.Errorf("%s gave %d, %v", id, out, err)
		}
	}
	if _, err := n.Client().Wait(ctx, "mistyped"); !errors.Is(err, turnstone.ErrInstanceNotFound) {
		t.Errorf("a wait for an id that is not there: %v", err)
	}
}
