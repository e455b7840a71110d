package main

import (
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// quoted is a codec of the author's, which the command does not have.
type quoted struct{ turnstone.Codec }

func (*quoted) Name() string { return "quoted" }

// TestLookingAtAStoreOfAnotherCodec shows it, and says so beside it.
func TestLookingAtAStoreOfAnotherCodec(t *testing.T) {
	dir := t.TempDir()
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	r := turnstone.NewRegistry(turnstone.WithCodec(&quoted{turnstone.JSON}), turnstone.WithLogger(logger))
	echo := turnstone.NewOrchestration("Echo", func(_ *turnstone.Context, s string) (string, error) { return s, nil })
	must(t, r.Register(echo))
	n, err := node.Open(t.Context(), node.Config{Dir: dir, Partitions: 1, Registry: r, Logger: logger})
	must(t, err)
	run, err := client.Start(t.Context(), n.Client(), "i", echo, "hello")
	must(t, err)
	_, err = run.Wait(t.Context())
	must(t, err)
	must(t, n.Shutdown(t.Context()))
	for _, args := range [][]string{{"list", dir}, {"inspect", dir, "i"}} {
		out, errs, code := runIn(t, t.TempDir(), args...)
		if code != 0 || !strings.Contains(out, "Echo") || strings.Contains(out, "quoted") ||
			!strings.Contains(errs, `are of the codec "quoted", and this program has "json": they are shown as they are recorded`) {
			t.Errorf("%v: exit code %d\n%s%s", args, code, out, errs)
		}
	}
}
