package actors

import (
	"io"
	"log/slog"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"

	"github.com/turnstone-dev/turnstone/actors/internal/mailbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// silent is a logger for tests that provoke failures.
func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

type numberMsg struct{ n int }

func receiver(f func(actor.Context)) func() actor.Actor {
	return func() actor.Actor { return actor.ReceiveFunc(f) }
}

// newTestSystem makes a system on an elastic executor that the test waits for at its end.
func newTestSystem(t testing.TB) *mailbox.System {
	t.Helper()
	executor := mailbox.NewElasticExecutor(0)
	t.Cleanup(executor.Close)
	return mailbox.New(mailbox.Config{Executor: executor, Logger: silent()})
}
