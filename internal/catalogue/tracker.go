package catalogue

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// Tracker counts the activities of this process: for the progress bar, never for the result. A nil Tracker counts
// nothing. Safe for concurrent use.
type Tracker struct {
	// Clock tells the time; it must be set.
	Clock func() time.Time

	done    atomic.Int64
	mu      sync.Mutex
	serial  int64
	running map[int64]running
}

type running struct {
	path  string
	since time.Time
}

// Running is one activity that runs now.
type Running struct {
	Path string
	For  time.Duration
}

// begin notes an activity; the function it returns ends it.
func (t *Tracker) begin(path string) (end func()) {
	if t == nil {
		return func() {}
	}
	t.mu.Lock()
	if t.running == nil {
		t.running = map[int64]running{}
	}
	t.serial++
	n := t.serial
	t.running[n] = running{path: path, since: t.Clock()}
	t.mu.Unlock()
	return func() {
		t.mu.Lock()
		delete(t.running, n)
		t.mu.Unlock()
		t.done.Add(1)
	}
}

// Done is how many activities have ended in this process.
func (t *Tracker) Done() int64 { return t.done.Load() }

// Running lists what runs now, the longest first.
func (t *Tracker) Running() []Running {
	now := t.Clock()
	t.mu.Lock()
	all := make([]Running, 0, len(t.running))
	for _, r := range t.running {
		all = append(all, Running{Path: r.path, For: now.Sub(r.since)})
	}
	t.mu.Unlock()
	sort.Slice(all, func(i, j int) bool {
		if all[i].For != all[j].For {
			return all[i].For > all[j].For
		}
		return all[i].Path < all[j].Path
	})
	return all
}
