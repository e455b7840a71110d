package node_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
)

// TestFailuresAreHeldToTheLimit ends orchestrations with texts of 10 MB. Who waits for one, and a parent, are told that
// it was too large; the parent's own turn is none the worse.
func TestFailuresAreHeldToTheLimit(t *testing.T) {
	const huge, most = 10_000_000, 2 << 20
	fails := turnstone.NewOrchestration("Fails", func(_ *turnstone.Context, how string) (int, error) {
		text := strings.Repeat("x", huge)
		if how == "panic" {
			panic(text)
		}
		return 0, errors.New(text)
	})
	parent := turnstone.NewOrchestration("Parent", func(ctx *turnstone.Context, how string) (string, error) {
		_, err := fails.Call(ctx, how)
		var f *turnstone.Failure
		if !errors.As(err, &f) || f.Kind != turnstone.KindOrchestrationFailed || f.Retryable {
			return "", fmt.Errorf("the child's failure is %T: %.100v", err, err)
		}
		return f.Error(), nil
	})
	cfg := config(t, filepath.Join(t.TempDir(), "store"))
	if err := cfg.Registry.Register(fails, parent); err != nil {
		t.Fatal(err)
	}
	n, ctx := open(t, cfg), deadline(t)
	for _, how := range []string{"error", "panic"} {
		run, err := client.Start(ctx, n.Client(), how, fails, how)
		if err != nil {
			t.Fatal(err)
		}
		_, err = run.Wait(ctx)
		var f *turnstone.Failure
		var e *turnstone.Error
		if !errors.As(err, &f) || !errors.As(err, &e) || f.Category != turnstone.CategoryApplication || f.Retryable || e.Kind != "Limit" ||
			!strings.HasPrefix(f.Error(), "orchestration failure is 100000") || !strings.HasSuffix(f.Error(), fmt.Sprintf("the limit is %d bytes; make it smaller, or raise Config.Limits.PayloadBytes", most)) {
			t.Errorf("%s: %.200v", how, err)
		}
		p, err := client.Start(ctx, n.Client(), "parent-"+how, parent, how)
		if err != nil {
			t.Fatal(err)
		}
		if told, err := p.Wait(ctx); err != nil || !strings.HasPrefix(told, "orchestration failure is 100000") {
			t.Errorf("the parent of a child with the %s was told %.200q, %.200v", how, told, err)
		}
		if d, err := n.Client().Describe(ctx, how); err != nil || d.HistoryBytes > 10_000 {
			t.Errorf("%s: the history has %d bytes, %v", how, d.HistoryBytes, err)
		}
	}
}
