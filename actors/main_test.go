package actors

import (
	"io"
	"log/slog"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// silent is a logger for tests that provoke failures.
func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// newTestSystem makes a system on an elastic executor that the test waits for at its end.
func newTestSystem(t testing.TB) *system {
	t.Helper()
	executor := NewElasticExecutor(0)
	t.Cleanup(executor.Close)
	return newSystem(Config{Executor: executor, Logger: silent()})
}
