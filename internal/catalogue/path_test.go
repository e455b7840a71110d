package catalogue

import (
	"testing"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{"plain/name.go", "plain/name.go"},
		{"a b\nc", `a b\x0ac`},
		{"bad\xff\xfeend", `bad\xff\xfeend`},
		{`back\slash`, `back\\slash`},
		{`back\x41`, `back\\x41`},
		{"c1\u0085", `c1\xc2\x85`},
		{"日本.txt", "日本.txt"},
		{"\uFFFD", "\uFFFD"},
		{"-dash", "-dash"},
		{"", ""},
	} {
		if got := Escape(c.path); got != c.want {
			t.Errorf("Escape(%q) = %q, want %q", c.path, got, c.want)
		}
		back, err := Unescape(c.want)
		if err != nil || back != c.path {
			t.Errorf("Unescape(%q) = %q, %v, want %q", c.want, back, err, c.path)
		}
	}
	for _, bad := range []string{`\`, `\x`, `\x1`, `\xzz`, `\n`} {
		if _, err := Unescape(bad); err == nil {
			t.Errorf("Unescape(%q) did not fail", bad)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a\\x00\xff\n")
	f.Fuzz(func(t *testing.T, path string) {
		text := Escape(path)
		if !utf8.ValidString(text) {
			t.Fatalf("Escape(%q) is not valid UTF-8", path)
		}
		if back, err := Unescape(text); err != nil || back != path {
			t.Fatalf("%q came back as %q, %v", path, back, err)
		}
	})
}
