package clienttest

import (
	"reflect"
	"testing"

	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/client/api"
	"github.com/turnstone-dev/turnstone/internal/localport"
)

// Through makes the port under test: one that carries its requests to the port of a node that it is given. It cleans up
// with the test.
type Through func(t *testing.T, node api.Port) api.Port

// Run tests a port.
func Run(t *testing.T, through Through) {
	cases := reflect.ValueOf(suite{through})
	for i := range cases.NumMethod() {
		t.Run(cases.Type().Method(i).Name, func(t *testing.T) {
			cases.Method(i).Call([]reflect.Value{reflect.ValueOf(t)})
		})
	}
}

// suite has the cases: its exported methods.
type suite struct{ through Through }

// reads is a client's reader of a journal.
func (s suite) reads(t *testing.T, w *world, j localport.Journal) *client.Reader {
	return client.New(s.through(t, localport.New(w, j, localport.Options{})), nil).Reader
}
