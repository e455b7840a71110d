package seam

import (
	"strings"
	"testing"
)

type pair struct{ double func(int) int }

type missing struct{}

func TestWhatIsOfferedIsTaken(t *testing.T) {
	Offer(pair{double: func(n int) int { return 2 * n }})
	defer clear(offered)
	if got := Take[pair]().double(21); got != 42 {
		t.Errorf("it gave %d", got)
	}
	for says, f := range map[string]func(){
		"seam.pair is offered twice":  func() { Offer(pair{}) },
		"nothing offers seam.missing": func() { Take[missing]() },
	} {
		if got := panicOf(f); !strings.Contains(got, says) {
			t.Errorf("the panic is %q, want %q", got, says)
		}
	}
}

func panicOf(f func()) (text string) {
	defer func() { text, _ = recover().(string) }()
	f()
	return ""
}
