//go:build invariants

package step

import (
	"path/filepath"
	"testing"
)

// TestEachLegalMoveHasAStory plays all scripts and names the moves of the table that none of them makes. A move that nothing
// can make belongs out of the table; one that something can make belongs into a story.
func TestEachLegalMoveHasAStory(t *testing.T) {
	for from := range phases {
		for to := range phases {
			moves[from][to].Store(false)
		}
	}
	for _, path := range scripts(t) {
		t.Run(filepath.Base(path), func(t *testing.T) { play(t, path) })
	}
	for from := range phases {
		for to := range phases {
			if legalMoves[from].has(to) && !moves[from][to].Load() {
				t.Errorf("no script moves from %s to %s", from, to)
			}
		}
	}
}
