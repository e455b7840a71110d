//go:build invariants

package step

import (
	"testing"

	"github.com/turnstone-dev/turnstone/actors/instance/turn"
)

// TestAWrongFieldOfTheMachineIsFound checks that a step machine is checked.
func TestAWrongFieldOfTheMachineIsFound(t *testing.T) {
	for what, x := range map[string]*Machine{
		"a turn out of its phase":    {turn: &turn.Turn{}},
		"a buffer that counts wrong": {buffer: buffer{bytes: 1}},
		"news that did not come":     {reasons: readReasons{seen: 1}},
	} {
		t.Run(what, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it is not found")
				}
			}()
			x.Verify()
		})
	}
	(&Machine{}).Verify()
}
