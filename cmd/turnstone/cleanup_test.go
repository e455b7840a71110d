package main

import (
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// TestInspectShowsACleanup looks at a store beside no node, whose instance runs its undo steps.
func TestInspectShowsACleanup(t *testing.T) {
	o := turnstone.NewOrchestration("Order", func(ctx *turnstone.Context, _ string) (string, error) {
		ctx.Compensate(func(ctx *turnstone.Context) error { return turnstone.WaitEvent[bool](ctx, "refunded").Err() })
		return "", &turnstone.Error{Kind: "Sold", Message: "sold out\x1b[2J"}
	}, turnstone.WithCleanup(func(*turnstone.Context, *turnstone.Failure) error { return nil }, time.Hour))
	registry := turnstone.NewRegistry()
	must(t, registry.Register(o))
	dir := t.TempDir() + "/store"
	n, err := node.Open(t.Context(), node.Config{Dir: dir, Partitions: 1, Registry: registry, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	must(t, err)
	defer n.Kill()
	_, err = client.Start(t.Context(), n.Client(), "i", o, "")
	must(t, err)
	var d client.Description
	for d.Cleanup == nil {
		d, err = n.Client().Describe(t.Context(), "i")
		must(t, err)
	}
	must(t, n.Shutdown(t.Context()))
	list := mustRun(t, "list", dir)
	if !strings.Contains(list, "Running CLEANUP") {
		t.Errorf("list says:\n%s", list)
	}
	since, until := d.Cleanup.Since.Format(time.RFC3339), d.Cleanup.Deadline.Format(time.RFC3339)
	story := mustRun(t, "inspect", dir, "i")
	harmless(t, "inspect", story)
	for _, want := range []string{"Running CLEANUP, execution 1", "cleanup: since " + since + ", until " + until + ", 2 undo steps left; ends with: sold out",
		"why: runs its undo steps since " + since} {
		if !strings.Contains(story, want) {
			t.Errorf("inspect does not say %q:\n%s", want, story)
		}
	}
}
