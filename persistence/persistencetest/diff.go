package persistencetest

import (
	"fmt"
	"strings"
)

// firstDifference shows the first few lines in which two texts differ.
func firstDifference(a, b string) string {
	left, right := strings.Split(a, "\n"), strings.Split(b, "\n")
	var out strings.Builder
	shown := 0
	for i := 0; i < max(len(left), len(right)) && shown < 5; i++ {
		l, r := "(nothing)", "(nothing)"
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		if l != r {
			fmt.Fprintf(&out, "line %d\n  %s\n  %s\n", i+1, l, r)
			shown++
		}
	}
	return out.String()
}
