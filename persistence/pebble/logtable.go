package pebble

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/internal/invariants"
)

// isLog says whether a file of Pebble's directory is a write-ahead log.
func isLog(base string) bool { return strings.HasSuffix(base, ".log") }

// logTable knows Pebble's write-ahead logs and manifests that exist and how much of each is synced.
type logTable struct {
	mu    sync.Mutex
	files map[string]*logFile
	// onGone is called, without the lock, before a log that has synced bytes goes away: the witness must not name it any
	// more. It is called, too, before anything is written to a new log: Pebble has synced the one before by then, and
	// from now on a loss of that would be a hole, which no index shows. Nil while there is no witness to keep. Its error
	// says that the witness on the disk is the one of before.
	onGone func() error
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
	onGone := t.onGone
	t.mu.Unlock()
	if onGone != nil {
		_ = onGone() // until the next one the loss of the last log is not noticed; the keeper has said so
	}
	return f
}

// keep takes in a log from before this process.
func (t *logTable) keep(base string, synced int64) {
	t.create(base).raise(synced)
}

// gone forgets a log that is about to be removed or renamed. After an error it must stay where it is: the witness still
// names it.
func (t *logTable) gone(base string) error {
	if !isWitnessed(base) {
		return nil
	}
	t.mu.Lock()
	f := t.files[base]
	delete(t.files, base)
	onGone := t.onGone
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

func (t *logTable) setOnGone(f func() error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.onGone = f
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
