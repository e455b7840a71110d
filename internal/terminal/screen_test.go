package terminal

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestF57_lines_go_above_the_status_line(t *testing.T) {
	var out, logs strings.Builder
	s := NewScreen(&out, func() int { return 20 })
	log := s.Above(&out)
	s.Say("first %s", "\x1b[m")
	s.Show("[##..] 7/s")
	s.Say("second")
	_, _ = io.WriteString(log, "level=WARN\n")
	_, _ = io.WriteString(s.Above(&logs), "to a file\n")
	s.Show("")
	s.Show("")
	s.Say("last")
	want := "first \\x1b[m\n" +
		clear + "[##..] 7/s" +
		clear + "second\n" + "[##..] 7/s" +
		clear + "level=WARN\n" + "[##..] 7/s" +
		clear + "[##..] 7/s" +
		clear +
		"last\n"
	if out.String() != want || logs.String() != "to a file\n" {
		t.Errorf("written %q and %q, want %q", out.String(), logs.String(), want)
	}
}

func TestF57_a_status_line_never_wraps(t *testing.T) {
	width := 12
	var out strings.Builder
	s := NewScreen(&out, func() int { return width })
	s.Show("a line\n that is longer")
	width = 6 // the window was made smaller
	s.Show("日本語日本語")
	width = 0
	s.Show("no terminal")
	if want := clear + `a line\n...` + clear + "日..."; out.String() != want {
		t.Errorf("written %q, want %q", out.String(), want)
	}
}

type failing struct{ left int }

var errFailing = errors.New("failing")

func (f *failing) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errFailing
	}
	return len(p), nil
}

func TestAWriterThatFailsIsTold(t *testing.T) {
	for writes := range 4 {
		out := &failing{left: writes}
		s := NewScreen(out, func() int { return 80 })
		s.Show("status")
		if _, err := io.WriteString(s.Above(out), "line\n"); (err != nil) != (writes < 4) || err != nil && !errors.Is(err, errFailing) {
			t.Errorf("after %d writes: %v", writes, err)
		}
	}
}
