package client_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/client/clienttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A client of the port of its own process.
func TestPort(t *testing.T) {
	clienttest.Run(t, func(_ *testing.T, node api.Port) api.Port { return node })
}
