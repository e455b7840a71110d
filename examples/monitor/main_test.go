package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

const want = "something was found in round 3\nmonitor: canceled: enough, after at least 3 rounds: true\n"

// The second run finds what the first has left.
func TestOutput(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "store")
	for range 2 {
		if got, err := run(ctx, dir); err != nil || got != want {
			t.Fatalf("it printed %q, %v; want %q", got, err, want)
		}
	}
}
