//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// set is what one value of the environment variable means.
type set struct {
	points map[string]*point
}

// point is one armed failpoint.
type point struct {
	name   string
	action func(name string)
	at     int64 // the hit that acts; 0 means every hit
	hits   atomic.Int64
}

func (p *point) hit() {
	if n := p.hits.Add(1); p.at == 0 || n == p.at {
		p.action(p.name)
	}
}

// parse reads entries that are separated by semicolons. The empty text arms nothing.
func parse(text string) (*set, error) {
	s := &set{points: map[string]*point{}}
	for entry := range strings.SplitSeq(text, ";") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		p, err := parsePoint(entry)
		if err != nil {
			return nil, err
		}
		if s.points[p.name] != nil {
			return nil, fmt.Errorf("%q names %s a second time: give each point one action", entry, p.name)
		}
		s.points[p.name] = p
	}
	return s, nil
}

func parsePoint(entry string) (*point, error) {
	name, rest, ok := strings.Cut(entry, "=")
	if !ok || name == "" {
		return nil, fmt.Errorf("%q is not name=action[@n]", entry)
	}
	action, count, counted := strings.Cut(rest, "@")
	p := &point{name: name, at: 1}
	switch {
	case action == "exit":
		p.action = func(string) { os.Exit(ExitCode) }
	case action == "panic":
		p.action = func(name string) { panic("failpoint " + name) }
	case strings.HasPrefix(action, "sleep(") && strings.HasSuffix(action, ")"):
		d, err := time.ParseDuration(action[len("sleep(") : len(action)-1])
		if err != nil {
			return nil, fmt.Errorf("%q: %w", entry, err)
		}
		p.action, p.at = func(string) { time.Sleep(d) }, 0
	default:
		return nil, fmt.Errorf("%q has the unknown action %q: use exit, panic or sleep(duration)", entry, action)
	}
	if counted {
		n, err := strconv.ParseInt(count, 10, 64)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q: the hit after @ must be a number from 1", entry)
		}
		p.at = n
	}
	return p, nil
}
