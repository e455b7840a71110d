//go:build invariants

package locallog

import "testing"

// TestAWrongLogIsFound breaks what a log promises, one at a time.
func TestAWrongLogIsFound(t *testing.T) {
	for what, spoil := range map[string]func(l *Log){
		"nothing":                          nil,
		"bytes that are not counted":       func(l *Log) { l.mu.queued++ },
		"a queue that is too long":         func(l *Log) { l.c.QueueMax = 1 },
		"a flight of nothing":              func(l *Log) { l.mu.flights[0].entries = nil },
		"a flight that counts wrong":       func(l *Log) { l.mu.flights[0].size++ },
		"a flight that is there twice":     func(l *Log) { l.mu.flights = append(l.mu.flights, l.mu.flights[0]) },
		"a log that has failed and serves": func(l *Log) { l.mu.failed = true },
		"a flight that overtakes":          func(l *Log) { l.verifyOldest(&flight{}) },
		"a flight that is released twice":  func(l *Log) { f := l.mu.flights[0]; l.release(f); l.release(f) },
	} {
		t.Run(what, func(t *testing.T) {
			a, l := newAnswers(t), New(newFakeCore(), config())
			for i := range 6 {
				a.propose(l, i, 0)
			}
			l.Apply() // 4 of them
			defer func() {
				if r := recover(); (r != nil) != (spoil != nil) {
					t.Errorf("the check says %v", r)
				}
			}()
			if spoil != nil {
				spoil(l)
			}
			l.verify()
		})
	}
}
