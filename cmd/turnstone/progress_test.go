package main

import (
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/internal/terminal"
)

func TestF57_the_progress_line_fits_every_width_and_keeps_its_rate(t *testing.T) {
	small := snapshot{ended: 3, instances: 12, share: 0.25, activities: 99, perSecond: 45, atWork: 4, longest: "src/a.go", longestFor: time.Second}
	large := snapshot{
		ended: 21_345, instances: 34_567, share: 0.6, activities: 1_234_567, perSecond: 45_678, atWork: 1024,
		longest: strings.Repeat("a/long/\u202epath/日本語/", 9), longestFor: 83 * time.Minute,
	}
	for _, s := range []snapshot{small, large, {}} {
		for width := 1; width <= 250; width++ {
			line := s.line(width)
			switch {
			case width >= 8 && terminal.Width(line) > width:
				t.Errorf("%d cells: %q takes %d", width, line, terminal.Width(line))
			case !strings.Contains(line, "/s"):
				t.Errorf("%d cells: %q has no rate", width, line)
			case strings.Contains(line, "\u202e"):
				t.Errorf("%d cells: %q turns the direction of writing", width, line)
			}
		}
	}
	for _, c := range []struct {
		s     snapshot
		width int
		want  string
	}{
		{large, 7, "45678/s"},
		{large, 30, "1234567 activities, 45678/s"},
		{large, 40, "1234567 activities, 45678/s"},
		{large, 79, "21345 of 34567 instances | 1234567 activities, 45678/s, 1024 running"},
		{large, 120, "[############........] 21345 of 34567 instances | 1234567 activities, 45678/s, 1024 running | 4980.0 s: a/long/\\u202e..."},
		{small, 79, "[##........] 3 of 12 instances | 99 activities, 45/s, 4 running | 1.0 s: src..."},
		{small, 90, "[##........] 3 of 12 instances | 99 activities, 45/s, 4 running | 1.0 s: src/a.go"},
	} {
		if got := c.s.line(c.width); got != c.want {
			t.Errorf("%d cells: %q, want %q", c.width, got, c.want)
		}
	}
}

// TestF57_progress_never_goes_back has listings that miss instances, and a tree that turns out to be larger.
func TestF57_progress_never_goes_back(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	p := progress{at: now}
	var before snapshot
	for _, counted := range []struct {
		running, ended int
		activities     int64
	}{
		{1, 0, 0}, {2, 6, 10}, {40, 7, 80}, {30, 5, 81}, {9, 1, 81}, {500, 60, 300}, {0, 600, 900}, {0, 599, 900},
	} {
		now = now.Add(200 * time.Millisecond)
		s := p.next(now, counted.running, counted.ended, counted.activities)
		if s.ended < before.ended || s.instances < before.instances || s.share < before.share || s.activities < before.activities ||
			s.ended > s.instances || s.share > 1 || s.perSecond < 0 {
			t.Errorf("%+v follows %+v", s, before)
		}
		before = s
	}
	if before.share != 1 || before.ended != 600 || before.instances != 600 {
		t.Errorf("at the end %+v", before)
	}
	if s := p.next(now, 0, 600, 900); s.perSecond != 0 {
		t.Errorf("twice at one time: %+v", s)
	}
}
