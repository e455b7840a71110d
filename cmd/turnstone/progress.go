package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/terminal"
	"golang.org/x/term"
)

// terminalEvery is how often a terminal's progress line is redrawn.
const terminalEvery = 200 * time.Millisecond

// snapshot is one moment of the catalogue.
type snapshot struct {
	ended, instances int
	// share is how much of the instances has ended, 0 to 1.
	share      float64
	activities int64
	perSecond  float64
	atWork     int
	longest    string
	longestFor time.Duration
}

// String is the line for an output that is no terminal.
func (s snapshot) String() string {
	line := fmt.Sprintf("instances: %d running, %d ended | activities: %d done, %.0f/s, running=%d",
		s.instances-s.ended, s.ended, s.activities, s.perSecond, s.atWork)
	if s.longest != "" {
		line += fmt.Sprintf(" | %s (%.1f s)", s.longest, s.longestFor.Seconds())
	}
	return line
}

// line is the line for a terminal that has room for so many cells. What matters least is left out first, the rate last.
func (s snapshot) line(width int) string {
	work := fmt.Sprintf("%d activities, %.0f/s", s.activities, s.perSecond)
	running := fmt.Sprintf("%s, %d running", work, s.atWork)
	all := fmt.Sprintf("%d of %d instances | %s", s.ended, s.instances, running)
	line, cells := "", 10
	if width >= 110 {
		cells = 20
	}
	for _, line = range []string{bar(s.share, cells) + all, all, running, work, fmt.Sprintf("%.0f/s", s.perSecond)} {
		if terminal.Width(line) <= width {
			break
		}
	}
	if s.longest == "" {
		return line
	}
	const shortest = 16 // of less there is nothing to recognize
	longest := fmt.Sprintf(" | %.1f s: %s", s.longestFor.Seconds(), terminal.Text(s.longest))
	if left := width - terminal.Width(line); left >= min(shortest, terminal.Width(longest)) {
		line += terminal.Cut(longest, left)
	}
	return line
}

// bar draws a share.
func bar(share float64, cells int) string {
	full := min(int(share*float64(cells)), cells)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "] "
}

// progress makes snapshots that never go back: a listing is not one moment's picture and may miss instances that change
// meanwhile, and directories that are found late make the whole larger.
type progress struct {
	at   time.Time
	last snapshot
}

// next is the snapshot after the last one, from what was counted now.
func (p *progress) next(now time.Time, running, ended int, activities int64) snapshot {
	s := snapshot{activities: activities, ended: max(ended, p.last.ended)}
	s.instances = max(running+ended, p.last.instances, s.ended)
	if s.instances > 0 {
		s.share = float64(s.ended) / float64(s.instances)
	}
	s.share = max(s.share, p.last.share)
	if passed := now.Sub(p.at).Seconds(); passed > 0 {
		s.perSecond = float64(activities-p.last.activities) / passed
	}
	p.at, p.last = now, s
	return s
}

// showProgress shows the catalogue's progress until ctx ends: a line that is redrawn on a terminal, plain lines
// elsewhere.
func (d *demo) showProgress(ctx context.Context, id string) {
	isTerminal := d.screen.Width() > 0
	every := d.every
	if isTerminal {
		every = terminalEvery
	}
	p := progress{at: clock.Real.Now()}
	for pause(ctx, every) {
		running, ended, err := d.countInstances(ctx, id)
		if err != nil {
			break
		}
		s := p.next(clock.Real.Now(), running, ended, d.tracker.Done())
		at := d.tracker.Running()
		if s.atWork = len(at); len(at) > 0 {
			s.longest, s.longestFor = at[0].Path, at[0].For
		}
		if isTerminal {
			d.screen.Show(s.line(d.screen.Width() - 1))
		} else {
			d.screen.Say("%s", s)
		}
	}
	d.screen.Show("")
}

func (d *demo) countInstances(ctx context.Context, id string) (running, ended int, err error) {
	err = members(ctx, d.client.Reader, id, func(i client.Description) error {
		if i.State.Terminal() {
			ended++
		} else {
			running++
		}
		return nil
	})
	return running, ended, err
}

// widthOf tells the width of a terminal, which may change; 0 for any other output.
func widthOf(out any) func() int {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func() int { return 0 }
	}
	return func() int {
		width, _, err := term.GetSize(int(f.Fd()))
		if err != nil || width <= 0 {
			return 80
		}
		return width
	}
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
