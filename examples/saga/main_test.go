package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

const want = `Ada: flight for Ada, hotel for Ada, car for Ada
Grace: no hotel room is left, "no flight for Grace"
Linus: canceled: too late, "no car for Linus", "no flight for Linus", "no hotel for Linus"
`

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
