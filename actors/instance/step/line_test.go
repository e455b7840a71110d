package step

import (
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// line is one command of a script with its arguments.
type line struct {
	t    *testing.T
	data *datadriven.TestData
	used map[string]bool
}

func (l *line) fail(format string, args ...any) {
	l.t.Helper()
	l.t.Fatalf(l.data.Pos+": "+l.data.Cmd+": "+format, args...)
}

// values are those of an argument; has is false if it is not there.
func (l *line) values(key string) (values []string, has bool) {
	for _, a := range l.data.CmdArgs {
		if a.Key == key {
			l.used[key] = true
			return a.Vals, true
		}
	}
	return nil, false
}

func (l *line) has(key string) bool {
	_, has := l.values(key)
	return has
}

func (l *line) text(key, otherwise string) string {
	values, has := l.values(key)
	if !has || len(values) == 0 {
		return otherwise
	}
	return values[0]
}

func (l *line) number(key string, otherwise uint64) uint64 {
	text := l.text(key, "")
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		l.fail("%s: %v", key, err)
	}
	return n
}

func (l *line) length(key string, otherwise time.Duration) time.Duration {
	text := l.text(key, "")
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		l.fail("%s: %v", key, err)
	}
	return d
}

// flag is an argument that is true alone, or says what it is.
func (l *line) flag(key string) bool {
	values, has := l.values(key)
	return has && (len(values) == 0 || values[0] == "true")
}

// word is the argument at a place that has no value: a name.
func (l *line) word(at int) string {
	for _, a := range l.data.CmdArgs {
		if len(a.Vals) > 0 {
			continue
		}
		if at == 0 {
			l.used[a.Key] = true
			return a.Key
		}
		at--
	}
	return ""
}

// allUsed fails if a script says what no command reads.
func (l *line) allUsed() {
	l.t.Helper()
	for _, a := range l.data.CmdArgs {
		if !l.used[a.Key] {
			l.fail("it has no argument %q", a.Key)
		}
	}
}
