package mailbox

import (
	"io"
	"log/slog"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type numberMsg struct{ n int }

// lastMsg tells an actor to stop itself.
type lastMsg struct{}

func receiver(f func(actor.Context)) func() actor.Actor {
	return func() actor.Actor { return actor.ReceiveFunc(f) }
}

// silent is a logger for tests that provoke failures.
func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// newTestSystem makes a system on an elastic executor that the test waits for at its end.
func newTestSystem(t testing.TB) *System {
	t.Helper()
	executor := NewElasticExecutor(0)
	t.Cleanup(executor.Close)
	return New(Config{Executor: executor, Logger: silent()})
}
