package terminal

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text is s on one line: what is not graphic, such as control characters, line ends, changes of the writing direction,
// invisible format characters and bytes that are not UTF-8, stands as the escape of a Go string. The rest is as it was.
func Text(s string) string {
	if shown(s) {
		return s
	}
	var b strings.Builder
	for rest := s; len(rest) > 0; {
		r, size := utf8.DecodeRuneInString(rest)
		if graphic(r, size) {
			b.WriteString(rest[:size])
		} else {
			quoted := strconv.QuoteToGraphic(rest[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		rest = rest[size:]
	}
	return b.String()
}

// Lines is [Text] of every line of s. The second line and those after it are indented, so that none of them looks like a
// message of its own.
func Lines(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i, line := range lines {
		if line = strings.TrimSpace(line); i > 0 && line != "" {
			line = "  " + line
		}
		lines[i] = Text(line)
	}
	return strings.Join(lines, "\n")
}

// shown says that nothing in s is to be escaped.
func shown(s string) bool {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if !graphic(r, size) {
			return false
		}
		i += size
	}
	return true
}

func graphic(r rune, size int) bool {
	return strconv.IsGraphic(r) && (r != utf8.RuneError || size > 1)
}
