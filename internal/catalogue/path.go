package catalogue

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape writes a path as text that holds all of it: bytes that are not valid UTF-8, and control characters, as \xNN
// for each byte; a backslash as \\. Deterministic; [Unescape] is its inverse.
func Escape(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); {
		r, size := utf8.DecodeRuneInString(path[i:])
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == utf8.RuneError && size <= 1, unicode.IsControl(r):
			for _, c := range []byte(path[i : i+size]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		default:
			b.WriteString(path[i : i+size])
		}
		i += size
	}
	return b.String()
}

// Unescape is the inverse of [Escape]. Text that Escape cannot have written is an error.
func Unescape(text string) (string, error) {
	if !strings.Contains(text, `\`) {
		return text, nil
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b.WriteByte(text[i])
			continue
		}
		switch rest := text[i+1:]; {
		case strings.HasPrefix(rest, `\`):
			b.WriteByte('\\')
			i++
		case len(rest) >= 3 && rest[0] == 'x':
			c, err := strconv.ParseUint(rest[1:3], 16, 8)
			if err != nil {
				return "", fmt.Errorf("escaped path %q: bad byte at %d", text, i)
			}
			b.WriteByte(byte(c))
			i += 3
		default:
			return "", fmt.Errorf("escaped path %q: stray backslash at %d", text, i)
		}
	}
	return b.String(), nil
}
