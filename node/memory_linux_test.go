//go:build linux && !race

// The race detector's own memory would be measured.

package node_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

const memoryVar = "TURNSTONE_TEST_MEMORY"

// largeWait has a history of the size of its input.
var largeWait = turnstone.NewOrchestration("LargeWait", func(ctx *turnstone.Context, _ string) (string, error) {
	return turnstone.WaitEvent[string](ctx, "go").Await()
})

// processMemory is a line of the process's status, in MiB: VmRSS, or VmHWM, the most that it was since it was last reset.
func processMemory(t testing.TB, line string) float64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for l := range bytes.Lines(status) {
		if f := strings.Fields(string(l)); f[0] == line+":" {
			kib, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return float64(kib) / 1024
		}
	}
	t.Fatalf("no %s in the status of the process", line)
	return 0
}

func memoryConfig(t *testing.T, dir string, runs bool) node.Config {
	cfg := node.Config{
		Dir: dir, TurnSlots: 1, MemoryBytes: 64 << 20,
		Logger: slog.New(slog.DiscardHandler),
	}
	if runs {
		cfg.Registry = turnstone.NewRegistry(turnstone.WithLogger(cfg.Logger))
		if err := cfg.Registry.Register(largeWait); err != nil {
			t.Fatal(err)
		}
	}
	return cfg
}

const (
	memoryInstances = 1200
	memoryHistory   = 256 << 10
	memoryMost      = 160 // MiB above a node that has nothing to do
	memoryMostBegun = 288 // the same where histories of 300 MiB are written meanwhile
)

// forAll calls f for all instances, so many at once.
func forAll(t *testing.T, atOnce int, f func(ctx context.Context, id string) error) {
	t.Helper()
	ctx := deadline(t)
	failed := make(chan error, memoryInstances)
	slots := make(chan struct{}, atOnce)
	for i := range memoryInstances {
		go func() {
			slots <- struct{}{}
			failed <- f(ctx, fmt.Sprint("large-", i))
			<-slots
		}()
	}
	for range memoryInstances {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
}

// TestF06_F08_histories_that_are_woken_at_once_take_what_the_budget_allows: 1,200 histories of 256 KiB and one turn slot, with
// a budget of 64 MiB, woken by events or by a reopen; and as many that have not begun, whose histories are written, too.
// Each part is a process of its own. The sizes of the store are bounds of their own, and small here.
func TestF06_F08_histories_that_are_woken_at_once_take_what_the_budget_allows(t *testing.T) {
	part, dir, child := strings.Cut(os.Getenv(memoryVar), "|")
	if !child {
		dir := filepath.Join(t.TempDir(), "store")
		for _, part := range []string{"fill", "events", "fill", "tell", "reopen", "starts", "begin"} {
			if part == "fill" || part == "starts" {
				dir += "x"
			}
			cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$", "-test.timeout=2m")
			cmd.Env = append(os.Environ(), memoryVar+"="+part+"|"+dir)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", part, err, out)
			}
			if i := bytes.Index(out, []byte("MiB")); i > 0 {
				t.Logf("%s: %s", part, out)
			}
		}
		return
	}
	idle := 0.0
	if part == "events" || part == "reopen" || part == "begin" {
		n := open(t, memoryConfig(t, dir+"-idle", true))
		idle = processMemory(t, "VmRSS")
		if err := n.Shutdown(deadline(t)); err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
			t.Fatal(err)
		}
	}
	n := open(t, memoryConfig(t, dir, part != "tell" && part != "starts"))
	c := n.Client()
	if part == "fill" || part == "starts" {
		input := strings.Repeat("x", memoryHistory)
		forAll(t, 16, func(ctx context.Context, id string) error {
			_, err := client.Start(ctx, c, id, largeWait, input)
			return err
		})
	}
	if part == "events" || part == "tell" || part == "starts" {
		forAll(t, memoryInstances, func(ctx context.Context, id string) error { return c.Raise(ctx, id, "go", []byte(`"x"`)) })
	}
	if part == "events" || part == "reopen" || part == "begin" {
		forAll(t, memoryInstances, func(ctx context.Context, id string) error {
			_, err := c.Wait(ctx, id)
			return err
		})
		most := processMemory(t, "VmHWM")
		t.Logf("%.0f MiB idle, at most %.0f MiB: %.0f MiB above", idle, most, most-idle)
		right := float64(memoryMost)
		if part == "begin" {
			right = memoryMostBegun
		}
		if most-idle > right {
			t.Errorf("it takes %.0f MiB above a node that has nothing to do; at most %.0f are right", most-idle, right)
		}
	}
	if err := n.Shutdown(deadline(t)); err != nil {
		t.Fatal(err)
	}
}
