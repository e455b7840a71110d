package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"golang.org/x/term"
)

// terminalEvery is how often a terminal's progress line is redrawn.
const terminalEvery = 200 * time.Millisecond

// snapshot is one moment of the catalogue.
type snapshot struct {
	running, ended int
	activities     int64
	perSecond      float64
	atWork         int
	longest        string
}

func (s snapshot) String() string {
	line := fmt.Sprintf("instances: %d running, %d ended | activities: %d done, %.0f/s, running=%d",
		s.running, s.ended, s.activities, s.perSecond, s.atWork)
	if s.longest != "" {
		line += " | " + s.longest
	}
	return line
}

// showProgress shows the catalogue's progress until ctx ends: a line that is redrawn on a terminal, plain lines
// elsewhere.
func (d *demo) showProgress(ctx context.Context, id string) {
	width, isTerminal := terminalWidth(d.out)
	every := d.every
	if isTerminal {
		every = terminalEvery
	}
	last, lastDone := clock.Real.Now(), int64(0)
	for pause(ctx, every) {
		now, done := clock.Real.Now(), d.tracker.Done()
		s := snapshot{activities: done, perSecond: float64(done-lastDone) / now.Sub(last).Seconds()}
		last, lastDone = now, done
		if err := d.countInstances(ctx, id, &s); err != nil {
			break
		}
		at := d.tracker.Running()
		s.atWork = len(at)
		if len(at) > 0 {
			s.longest = fmt.Sprintf("%s (%.1f s)", at[0].Path, at[0].For.Seconds())
		}
		if isTerminal {
			fmt.Fprint(d.out, "\r\x1b[K"+bar(s, width))
			continue
		}
		fmt.Fprintln(d.out, s)
	}
	if isTerminal {
		fmt.Fprint(d.out, "\r\x1b[K")
	}
}

// bar draws the share of instances that have ended, and cuts the line to the terminal.
func bar(s snapshot, width int) string {
	const cells = 20
	full := 0
	if total := s.running + s.ended; total > 0 {
		full = cells * s.ended / total
	}
	line := []rune("[" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "] " + s.String())
	if len(line) >= width {
		line = line[:max(width-1, 0)]
	}
	return string(line)
}

func (d *demo) countInstances(ctx context.Context, id string, s *snapshot) error {
	return members(ctx, d.client.Reader, id, func(i client.Description) error {
		if i.State == client.StateCompleted || i.State == client.StateFailed {
			s.ended++
		} else {
			s.running++
		}
		return nil
	})
}

func terminalWidth(out any) (int, bool) {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	return width, true
}

// pause waits and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	due := make(chan struct{})
	t := clock.Real.AfterFunc(d, func() { close(due) })
	select {
	case <-due:
		return true
	case <-ctx.Done():
		t.Stop()
		return false
	}
}
