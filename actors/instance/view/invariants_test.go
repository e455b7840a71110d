//go:build invariants

package view

import (
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestAWrongFieldOfTheViewIsFound checks that a view is checked.
func TestAWrongFieldOfTheViewIsFound(t *testing.T) {
	for what, x := range map[string]*View{
		"a page that reads back":    {Inbox: Page{Read: 2, Seen: 1, zero: 2}},
		"a timer that is due twice": {Due: make([]persistence.TimerKey, 2)},
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
	(&View{}).Verify()
}
