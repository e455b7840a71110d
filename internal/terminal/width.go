package terminal

import (
	"strings"
	"unicode"
)

// firstWide is the lowest character that some terminal draws in two cells. All from here on are counted so: a line that
// ends early does no harm, one that wraps does.
const firstWide = 0x1100

// Width is how many cells a text takes at most.
func Width(s string) int {
	n := 0
	for _, r := range s {
		n += cells(r)
	}
	return n
}

func cells(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= firstWide:
		return 2
	default:
		return 1
	}
}

const ellipsis = "..."

// Cut is s if it takes no more than width cells, else its beginning and an ellipsis.
func Cut(s string, width int) string {
	if Width(s) <= width {
		return s
	}
	left := width - len(ellipsis)
	if left <= 0 {
		return ellipsis[:max(width, 0)]
	}
	var b strings.Builder
	for _, r := range s {
		if left -= cells(r); left < 0 {
			break
		}
		b.WriteRune(r)
	}
	return b.String() + ellipsis
}
