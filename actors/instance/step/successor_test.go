package step

import "testing"

// TestASuccessorTriesAnInstanceAgainThatWasBeingHeld: a runtime may have attached between the turn and the hold, and the
// machine that could tell is gone.
func TestASuccessorTriesAnInstanceAgainThatWasBeingHeld(t *testing.T) {
	reason, none := &abandonPlan{reason: "nondeterministic"}, &abandonPlan{}
	for what, c := range map[string]struct {
		in   Machine
		want bool
	}{
		"a hold that is planned":              {Machine{abandon: reason}, true},
		"a hold that is proposed":             {Machine{phase: phaseAbandoning, awaiting: &abandonMsg{plan: reason}}, true},
		"an abandon that holds nothing":       {Machine{abandon: none}, false},
		"one of those that is proposed":       {Machine{phase: phaseAbandoning, awaiting: &abandonMsg{plan: none}}, false},
		"an instance that is to be tried now": {Machine{tryAgain: true}, true},
		"any other":                           {Machine{}, false},
	} {
		if next := c.in.Successor(); next.tryAgain != c.want {
			t.Errorf("%s is tried again by the successor: %t, want %t", what, next.tryAgain, c.want)
		}
	}
}
