package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// A store that has failed leaves goroutines behind on purpose. So each test of one runs in a child, which says so in the
// environment.
const failedVar = "TURNSTONE_TEST_FAILED_STORE"

// inChild runs the test again in a child, in which failedVar names a directory.
func inChild(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), failedVar+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// breakStore makes every later write of the store's witness fail, which comes within a second of a commit.
func breakStore(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "witness.new", "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// isFailure reports whether an error is that of a failed store, with operation and path.
func isFailure(err error, dir string) bool {
	f, ok := node.FailureOf(err)
	return errors.Is(err, node.ErrFailed) && ok && f.Operation == "create" && strings.HasPrefix(f.Path, dir) && f.Err != nil &&
		strings.Contains(err.Error(), f.Operation+" "+f.Path)
}

// TestF23_a_failed_store_stops_the_node_and_not_the_process has a node run while its store fails: all that waits is
// answered, Stopped closes, Err names operation and path, and the process goes on.
func TestF23_a_failed_store_stops_the_node_and_not_the_process(t *testing.T) {
	dir := os.Getenv(failedVar)
	if dir == "" {
		inChild(t, filepath.Join(t.TempDir(), "store"))
		return
	}
	log := make(lines, 1000)
	cfg := config(t, dir)
	cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
	n, err := node.Open(deadline(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx := deadline(t)
	if err := n.Err(); err != nil {
		t.Errorf("a node that serves: %v", err)
	}
	waiting, err := client.Start(ctx, n.Client(), "waits", wait, 0)
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() {
		_, err := waiting.Wait(ctx)
		waited <- err
	}()
	breakStore(t, dir)
	for i := 0; n.Err() == nil; i++ {
		_, err = client.Start(ctx, n.Client(), fmt.Sprint(i), twice, 1)
		if err != nil && (!errors.Is(err, turnstone.ErrStopped) && !errors.Is(err, turnstone.ErrUncertain) || !isFailure(err, dir)) {
			t.Fatalf("a start while the store fails: %v", err)
		}
	}
	select {
	case <-n.Stopped():
	case <-ctx.Done():
		t.Fatal("Stopped does not close")
	}
	_, started := client.Start(ctx, n.Client(), "late", twice, 1)
	_, status := n.Client().Status(ctx, "waits")
	_, reopened := node.Open(ctx, config(t, dir))
	began := time.Now()
	shutdown := n.Shutdown(ctx)
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the shutdown took %v", took)
	}
	for what, err := range map[string]error{
		"Err": n.Err(), "a wait": <-waited, "a start": started, "a status": status, "Shutdown": shutdown, "a second Open": reopened,
	} {
		if !isFailure(err, dir) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !errors.Is(started, turnstone.ErrStopped) || !errors.Is(status, turnstone.ErrStopped) {
		t.Errorf("what is asked later: %v; %v", started, status)
	}
	for { // it is logged while the answers are given, so perhaps after them
		select {
		case line := <-log:
			if strings.Contains(line, "the store has failed; the node stops") && strings.Contains(line, "path="+dir) {
				return
			}
		case <-ctx.Done():
			t.Fatal("it is not logged that the store has failed, and where")
		}
	}
}

// lines takes what is logged, a line each.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// TestF23_a_store_that_fails_while_it_opens_is_an_error: Open returns, and the process goes on.
func TestF23_a_store_that_fails_while_it_opens_is_an_error(t *testing.T) {
	dir := os.Getenv(failedVar)
	if dir == "" {
		dir = filepath.Join(t.TempDir(), "store")
		n := open(t, config(t, dir))
		run(t, n, "a", 1)
		if err := n.Shutdown(context.Background()); err != nil || n.Err() != nil {
			t.Fatal(err, n.Err())
		}
		breakStore(t, dir)
		inChild(t, dir)
		return
	}
	for range 2 {
		if _, err := node.Open(deadline(t), config(t, dir)); !isFailure(err, dir) {
			t.Errorf("%v", err)
		}
	}
}
