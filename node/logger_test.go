package node_test

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/node"
)

// logBuffer is a log that several goroutines write.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// TestWhereHandlersLog: to the node's logger, also those of a runtime that is attached later, unless their registry has
// one of its own; never to slog.Default. A panic of 20 MB does not fill the log.
func TestWhereHandlersLog(t *testing.T) {
	var def, ofNode, ofRegistry logBuffer
	before := slog.Default()
	slog.SetDefault(def.logger())
	t.Cleanup(func() { slog.SetDefault(before) })

	explode := turnstone.NewActivity("Explode", func(ctx turnstone.ActivityContext, who string) (string, error) {
		ctx.Logger().Info("activity of " + who)
		panic("boom of " + who + strings.Repeat("!", 20_000_000))
	})
	speaks := func(who string) *turnstone.Orchestration[string, string] {
		return turnstone.NewOrchestration("Speaks-"+who, func(ctx *turnstone.Context, _ string) (string, error) {
			ctx.Logger().Info("orchestration of " + who)
			return explode.Call(ctx, who)
		})
	}
	plain := turnstone.NewRegistry()
	own := turnstone.NewRegistry(turnstone.WithLogger(ofRegistry.logger()))
	inNode, inOwn := speaks("node"), speaks("own")
	if err := errors.Join(plain.Register(inNode, explode), own.Register(inOwn)); err != nil {
		t.Fatal(err)
	}
	cfg := node.Config{Dir: filepath.Join(t.TempDir(), "store"), Logger: ofNode.logger()}
	n, ctx := open(t, cfg), deadline(t)
	for _, r := range []node.Runtime{
		{ID: "plain", Registry: plain, TurnSlots: 1, ActivitySlots: 1}, {ID: "own", Registry: own, TurnSlots: 1, ActivitySlots: -1},
	} {
		if _, err := n.Attach(r); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range []*turnstone.Orchestration[string, string]{inNode, inOwn} {
		run, err := client.Start(ctx, n.Client(), o.Name(), o, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run.Wait(ctx); err == nil {
			t.Errorf("%s did not fail", o.Name())
		}
	}
	for _, words := range []string{"orchestration of node", "activity of node", "activity panicked",
		logkey.Error + `="boom of node`, "activity of own"} {
		if !strings.Contains(ofNode.String(), words) {
			t.Errorf("the node's log lacks %q", words)
		}
	}
	if log := ofNode.String(); len(log) > 50_000 || strings.Contains(log, "orchestration of own") {
		t.Errorf("the node's log of %d bytes: %.2000s", len(log), log)
	}
	if log := ofRegistry.String(); !strings.Contains(log, "orchestration of own") || strings.Contains(log, "of node") {
		t.Errorf("the registry's log: %.2000s", log)
	}
	if log := def.String(); log != "" {
		t.Errorf("slog.Default has: %.2000s", log)
	}
}

// TestTheRegistryOfTheConfigLogsToTheNode also without an Attach.
func TestTheRegistryOfTheConfigLogsToTheNode(t *testing.T) {
	var log logBuffer
	speaks := turnstone.NewOrchestration("Speaks", func(ctx *turnstone.Context, _ int) (int, error) {
		ctx.Logger().Info("here")
		return 0, nil
	})
	cfg := node.Config{Dir: filepath.Join(t.TempDir(), "store"), Registry: turnstone.NewRegistry(), Logger: log.logger()}
	if err := cfg.Registry.Register(speaks); err != nil {
		t.Fatal(err)
	}
	n, ctx := open(t, cfg), deadline(t)
	run, err := client.Start(ctx, n.Client(), "i", speaks, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Wait(ctx); err != nil || !strings.Contains(log.String(), "msg=here") {
		t.Errorf("%v; the log:\n%s", err, log.String())
	}
}
