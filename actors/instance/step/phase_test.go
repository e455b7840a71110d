package step

import (
	"strings"
	"testing"
)

// TestAnIllegalMovePanics, and names the instance and both phases.
func TestAnIllegalMovePanics(t *testing.T) {
	for from := range phases {
		for to := range phases {
			in := &Machine{id: "order-7", phase: from}
			what := moveOf(in, to)
			switch legal := from == to || legalMoves[from].has(to); {
			case legal && (what != "" || in.phase != to):
				t.Errorf("the legal move from %s to %s: phase %s, panic %q", from, to, in.phase, what)
			case !legal && in.phase != from:
				t.Errorf("the illegal move from %s to %s was made", from, to)
			case !legal:
				for _, name := range []string{`"order-7"`, from.String(), to.String()} {
					if !strings.Contains(what, name) {
						t.Errorf("the panic at a move from %s to %s is %q, without %s", from, to, what, name)
					}
				}
			}
		}
	}
}

// moveOf moves a machine, and returns what it panics with.
func moveOf(in *Machine, to phase) (what string) {
	defer func() {
		if why := recover(); why != nil {
			what = why.(string)
		}
	}()
	in.become(to)
	return ""
}
