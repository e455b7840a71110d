package terminal

import (
	"fmt"
	"io"
	"sync"
)

// clear takes the cursor to the beginning of its line and empties the line.
const clear = "\r\x1b[K"

// Screen prints lines and keeps a status line below them. It is safe for concurrent use.
type Screen struct {
	out   io.Writer
	width func() int

	mu     sync.Mutex
	status string
}

// NewScreen makes a screen that writes to out. width tells how many cells a line has now; 0: out is no terminal, and there
// is no status line.
func NewScreen(out io.Writer, width func() int) *Screen { return &Screen{out: out, width: width} }

// Width is how many cells a line has now; 0 if this is no terminal.
func (s *Screen) Width() int { return s.width() }

// Say prints one line above the status line: [Text] of what is formatted.
func (s *Screen) Say(format string, args ...any) {
	_, _ = fmt.Fprintln(s.Above(s.out), Text(fmt.Sprintf(format, args...)))
}

// Show replaces the status line; empty: there is none. It does nothing where there is no terminal. A line that is too wide
// is cut, so that it never wraps: what wrapped could not be cleared.
func (s *Screen) Show(line string) {
	width := s.width()
	if width <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.status
	if s.status = Cut(Text(line), width-1); before != "" || s.status != "" {
		_, _ = io.WriteString(s.out, clear+s.status)
	}
}

// Above is a writer whose whole lines go to w, above the status line if there is one. What it is given is not escaped.
func (s *Screen) Above(w io.Writer) io.Writer { return above{s, w} }

type above struct {
	screen *Screen
	w      io.Writer
}

func (a above) Write(p []byte) (int, error) {
	s := a.screen
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == "" {
		return a.w.Write(p)
	}
	if _, err := io.WriteString(s.out, clear); err != nil {
		return 0, err
	}
	n, err := a.w.Write(p)
	if _, again := io.WriteString(s.out, s.status); err == nil {
		err = again
	}
	return n, err
}
