package pebble

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/internal/invariants"
)

// isLog reports whether a file of Pebble's directory is a write-ahead log.
func isLog(base string) bool { return strings.HasSuffix(base, ".log") }

// logTable has Pebble's write-ahead logs and manifests that exist, and how much of each is synced.
type logTable struct {
	mu    sync.Mutex
	files map[string]*logFile
	// onRemoval writes the witness. It is called, without the lock, before a log that has synced bytes is removed, because the
	// witness must not name the log any more. It is also called before the first write to a new log: Pebble has synced the log
	// before it by then, and the indexes would not show a loss of that one. It is nil while there is no witness. After an
	// error the last witness stays on the disk.
	onRemoval func() error
}

// logFile is one log. Of one that this process writes, synced <= written; of one from before only synced is known.
type logFile struct {
	written atomic.Int64
	synced  atomic.Int64
}

func newLogTable() *logTable { return &logTable{files: map[string]*logFile{}} }

func (t *logTable) create(base string) *logFile {
	f := &logFile{}
	t.mu.Lock()
	t.files[base] = f
	onGone := t.onRemoval
	t.mu.Unlock()
	if onGone != nil {
		_ = onGone() // until the next witness a loss of the last log is not noticed; the keeper has logged the error
	}
	return f
}

// keep adds a log that an earlier process wrote.
func (t *logTable) keep(base string, synced int64) {
	t.create(base).raise(synced)
}

// beforeRemoval drops a log that is about to be removed or renamed. After an error the caller must leave the file in place,
// because the witness still names it.
func (t *logTable) beforeRemoval(base string) error {
	if !isWitnessed(base) {
		return nil
	}
	t.mu.Lock()
	f := t.files[base]
	delete(t.files, base)
	onGone := t.onRemoval
	t.mu.Unlock()
	if f == nil || f.synced.Load() == 0 || onGone == nil {
		return nil
	}
	err := onGone()
	if err != nil {
		t.mu.Lock()
		t.files[base] = f
		t.mu.Unlock()
	}
	return err
}

func (t *logTable) setOnRemoval(f func() error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.onRemoval = f
}

// live lists the logs that hold synced bytes, by name.
func (t *logTable) live() (logs []witnessLog) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for base, f := range t.files {
		if n := f.synced.Load(); n > 0 {
			if invariants.Enabled {
				f.verifySynced(base, n)
			}
			logs = append(logs, witnessLog{name: base, synced: n})
		}
	}
	slices.SortFunc(logs, func(a, b witnessLog) int { return strings.Compare(a.name, b.name) })
	return logs
}

func (f *logFile) raise(synced int64) {
	for {
		old := f.synced.Load()
		if synced <= old || f.synced.CompareAndSwap(old, synced) {
			return
		}
	}
}
