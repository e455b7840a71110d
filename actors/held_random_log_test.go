package actors

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/turnstone-dev/turnstone/internal/logkey"
)

// walkLog is what is done in a random walk and what the engine logs meanwhile, in their order. It finds an instance of
// which is logged twice that it is held, though nothing has changed.
type walkLog struct {
	mu    sync.Mutex
	began time.Time
	lines strings.Builder
	last  map[string]string // by instance: why it is held, as it was logged last
	twice []string
}

func newWalkLog() *walkLog { return &walkLog{began: time.Now(), last: map[string]string{}} }

// note adds a line.
func (l *walkLog) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(&l.lines, "%v "+format+"\n", append([]any{time.Since(l.began)}, args...)...)
}

// forget says that an instance may be held anew.
func (l *walkLog) forget(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.last, id)
}

// changed says that a runtime has come or gone, or a process has begun: every instance may be held anew.
func (l *walkLog) changed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.last)
}

func (l *walkLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

// repeats are the lines that were logged twice since it was asked last.
func (l *walkLog) repeats() (lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines, l.twice = l.twice, nil
	return lines
}

// Enabled implements slog.Handler.
func (l *walkLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// WithAttrs implements slog.Handler: the engine adds its target only.
func (l *walkLog) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements slog.Handler: the engine makes none.
func (l *walkLog) WithGroup(string) slog.Handler { return l }

// Handle implements slog.Handler.
func (l *walkLog) Handle(_ context.Context, r slog.Record) error {
	var all strings.Builder
	of := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		of[a.Key] = a.Value.String()
		fmt.Fprintf(&all, " %s=%.200q", a.Key, a.Value.String())
		return true
	})
	l.note("    %v %s%s", r.Level, r.Message, all.String())
	l.mu.Lock()
	defer l.mu.Unlock()
	id := of[logkey.Instance]
	if r.Level < slog.LevelError || of[logkey.Reason] == "" {
		delete(l.last, id) // it goes on, or is released
		return nil
	}
	why := fmt.Sprintf("%s: build %s: %s", id, of[logkey.Build], of[logkey.Reason])
	if l.last[id] == why {
		l.twice = append(l.twice, why)
	}
	l.last[id] = why
	return nil
}
