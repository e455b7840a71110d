package terminal

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestF41_what_a_terminal_obeys_is_shown_as_an_escape(t *testing.T) {
	for in, want := range map[string]string{
		"":                   "",
		"plain, with spaces": "plain, with spaces",
		"日本語, naïve, Ελληνικά, 👍, عربي":   "日本語, naïve, Ελληνικά, 👍, عربي",
		"e\u0301 and \u00a0 and \u3000":   "e\u0301 and \u00a0 and \u3000",
		`C:\n stays "as it is"`:           `C:\n stays "as it is"`,
		"\x1b[2J\x1b]0;title\x07":         `\x1b[2J\x1b]0;title\a`,
		"one\ntwo\r\nthree\tfour":         `one\ntwo\r\nthree\tfour`,
		"gpj.\u202egnp\u202c":             `gpj.\u202egnp\u202c`,
		"\u2066isolated\u2069 \u200fmark": `\u2066isolated\u2069 \u200fmark`,
		"zero\u200bwidth \ufeff \u00ad":   `zero\u200bwidth \ufeff \u00ad`,
		"line\u2028paragraph\u2029":       `line\u2028paragraph\u2029`,
		"\u009b31m c1 \u0085":             `\u009b31m c1 \u0085`,
		"bad \xff\xfe bytes":              `bad \xff\xfe bytes`,
		"the replacement \ufffd itself":   "the replacement \ufffd itself",
		"tag \U000e0041 private \ue000":   `tag \U000e0041 private \ue000`,
		"\x00\x7f":                        `\x00\x7f`,
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestF41_a_second_line_does_not_look_like_a_message(t *testing.T) {
	for in, want := range map[string]string{
		"one":                       "one",
		"one\n":                     "one",
		"one\nturnstone: all\x1b[m": "one\n  turnstone: all\\x1b[m",
		"one\n\n  two\r":            "one\n\n  two",
		"did you mean?\n\tlist\a":   "did you mean?\n  list\\a",
	} {
		if got := Lines(in); got != want {
			t.Errorf("Lines(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b\u202e\xff")
	f.Fuzz(func(t *testing.T, in string) {
		got := Text(in)
		for i, r := range got {
			_, size := utf8.DecodeRuneInString(got[i:])
			if !unicode.IsGraphic(r) || r == utf8.RuneError && size == 1 {
				t.Fatalf("Text(%q) has %U", in, r)
			}
		}
		if Text(got) != got {
			t.Fatalf("Text(%q) is escaped again", in)
		}
		if strings.Contains(Cut(got, 20), "\n") || Width(Cut(got, 20)) > 20 {
			t.Fatalf("Cut(%q) is %q", got, Cut(got, 20))
		}
	})
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in    string
		width int
		want  string
	}{
		{"short", 5, "short"}, {"longer", 5, "lo..."}, {"日本語", 6, "日本語"}, {"日本語", 5, "日..."}, {"日本語", 4, "..."},
		{"e\u0301e\u0301", 2, "e\u0301e\u0301"}, {"abc", 2, ".."}, {"abc", 0, ""}, {"abc", -1, ""}, {"", 0, ""},
	} {
		if got := Cut(c.in, c.width); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.in, c.width, got, c.want)
		}
	}
}
