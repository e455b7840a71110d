//go:build invariants

package instance

import "testing"

// TestAWrongFieldIsFound checks that an instance is checked, and by which of its parts.
func TestAWrongFieldIsFound(t *testing.T) {
	for what, in := range map[string]*instance{
		"an answer that nothing asked for": {outstanding: 1},
		"an answer that is not owed":       {unanswered: []*arrival{{at: 1}}},
		"memory that it never took":        {charge: -1},
		"a turn out of its phase":          {core: core{turn: &turn{}}},
		"a buffer that counts wrong":       {core: core{buffer: buffer{bytes: 1}}},
		"a page that reads back":           {core: core{view: view{inbox: inboxPage{read: 2, seen: 1, zero: 2}}}},
	} {
		t.Run(what, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it is not found")
				}
			}()
			in.verify()
		})
	}
	(&instance{}).verify()
}
