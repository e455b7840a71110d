//go:build invariants

package instance

import (
	"testing"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
)

// TestAWrongFieldIsFound checks that an instance is checked.
func TestAWrongFieldIsFound(t *testing.T) {
	for what, x := range map[string]*instance{
		"an answer that nothing asked for": {outstanding: 1},
		"an answer that is not owed":       {unanswered: []*arrival.Arrival{{At: 1}}},
		"memory that it never took":        {charge: -1},
	} {
		t.Run(what, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it is not found")
				}
			}()
			x.verify()
		})
	}
	(&instance{}).verify()
}
