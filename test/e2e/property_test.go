package e2e

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/turnstone-dev/turnstone/replay"
)

// anyName is a name that a handler may have.
var anyName = rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return !unicode.IsControl(r) && unicode.IsPrint(r) }), 1, 20, 200)

// drawn runs orchestrations of any names and inputs with n activities each, and gives the histories that they leave.
func drawn(w *world, cases int, n func(i int) int, check func(what string, activities int, h events)) {
	w.t.Helper()
	echo := activity("Echo", func(s string) (string, error) { return s, nil })
	w.open(echo)
	for i := range cases {
		name, in, activities := fmt.Sprint(anyName.Example(i), i), rapid.String().Example(i), n(i)
		in = strings.ToValidUTF8(in, "")
		o := text(name, func(ctx octx, s string) (_ string, err error) {
			for range activities {
				if s, err = echo.Call(ctx, s); err != nil {
					return "", err
				}
			}
			return s, nil
		})
		if err := w.registry.Register(o); err != nil {
			w.t.Fatal(err)
		}
		id := fmt.Sprint("i", i)
		begin(w, o, id, in)
		completes(w, id, in)
		check(fmt.Sprintf("%q with %q and %d activities", name, in, activities), activities, w.history(id, 0))
	}
}

func TestPropertiesOfHistories(t *testing.T) {
	const cases = 20
	one := func(int) int { return 1 }
	scenario(t, "PRP_001 event ids are contiguous from 1 for any name and input", func(w *world) {
		drawn(w, cases, one, func(what string, _ int, h events) {
			for i, e := range h {
				if e.GetId() != uint64(i+1) {
					t.Errorf("%s: event %d has the id %d", what, i+1, e.GetId())
				}
			}
		})
	})
	scenario(t, "PRP_002 a history has one end and it is last", func(w *world) {
		drawn(w, cases, one, func(what string, _ int, h events) {
			for i, e := range h {
				if replay.Terminal(e) != (i == len(h)-1) {
					t.Errorf("%s: %v", what, h.kinds())
				}
			}
		})
	})
	scenario(t, "PRP_003 each completion names a schedule", func(w *world) {
		drawn(w, cases, func(i int) int { return 1 + i%3 }, func(what string, activities int, h events) {
			open, done := map[uint64]bool{}, 0
			for _, e := range h {
				switch {
				case e.GetActivityScheduled() != nil:
					open[e.GetId()] = true
				case e.GetActivityCompleted() != nil:
					if done++; !open[e.GetSource()] {
						t.Errorf("%s: event %d completes %d", what, e.GetId(), e.GetSource())
					}
					delete(open, e.GetSource())
				}
			}
			if done != activities || len(open) != 0 {
				t.Errorf("%s: %d completions, %d open", what, done, len(open))
			}
		})
	})
	scenario(t, "PRP_004 the length of a history is within its bounds", func(w *world) {
		drawn(w, cases, func(i int) int { return i % 4 }, func(what string, activities int, h events) {
			if want := 2 + 2*activities; len(h) != want {
				t.Errorf("%s: %d events, want %d", what, len(h), want)
			}
		})
	})
}
