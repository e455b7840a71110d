package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/turnstone-dev/turnstone/client"
)

// opened returns a function that waits until some process opens a file.
func opened(t *testing.T, name string) (wait func()) {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	must(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	_, err = syscall.InotifyAddWatch(fd, name, syscall.IN_OPEN)
	must(t, err)
	return func() {
		t.Helper()
		if n, err := syscall.Read(fd, make([]byte, 4096)); n <= 0 || err != nil {
			t.Fatalf("no notice of an open: %d, %v", n, err)
		}
	}
}

// TestF24_each_command_that_is_interrupted_ends_with_130 interrupts those that wait for a store which is in use, as soon
// as they ask for its lock. They must end before the wait does, which would be a refusal.
func TestF24_each_command_that_is_interrupted_ends_with_130(t *testing.T) {
	tree, dir := smallTree(t), t.TempDir()
	store := filepath.Join(dir, "store")
	inNode(t, store, func(context.Context, *client.Client) {
		for _, args := range [][]string{
			{"backup", store, filepath.Join(dir, "copy")}, {"list", store}, {"inspect", store, "x"}, {"verify", store},
			{"demo", "--dir", tree, "--store", store, "--report", filepath.Join(dir, "r.json")},
		} {
			for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
				waits := opened(t, filepath.Join(store, "db", "LOCK"))
				p := begin(t, plain, args...)
				waits()
				must(t, p.cmd.Process.Signal(signal))
				if out, code := p.end(); code != exitInterrupted || p.errors.Len() > 0 {
					t.Errorf("%s, %v: exit code %d\n%s%s", args[0], signal, code, out, p.errors.String())
				}
			}
		}
	})
	if left := entries(t, dir); strings.Contains(left, "copy") || strings.Contains(left, "r.json") {
		t.Errorf("left behind: %s", left)
	}
}
