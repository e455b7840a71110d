package pebble

import (
	"fmt"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// formatMajor is Pebble's format of every store. It is a literal, because the newest format changes with Pebble, and an
// older program cannot open a store of a newer format. Raise it on purpose, together with Format. Formats older than this
// one do not detect damage in the middle of a log.
const formatMajor pdb.FormatMajorVersion = 24

// pebbleOptions are Pebble's options for a store. Each line that differs from Pebble's default has its reason.
func pebbleOptions(o *Options, fs vfs.FS, l *latch) *pdb.Options {
	p := &pdb.Options{
		FS:                          fs,
		FormatMajorVersion:          formatMajor,
		ErrorIfNotExists:            true, // Pebble would make a new store of any directory
		Logger:                      &pebbleLogger{log: o.Log, latch: l, dir: o.Dir},
		MemTableSize:                o.Tuning.MemTableBytes,
		MemTableStopWritesThreshold: 4,    // a slow flush must not stop commits at once
		L0CompactionThreshold:       4,    // fewer, larger compactions
		L0StopWritesThreshold:       1000, // never stop commits for compaction: reads of the hot path hit memory
		LBaseMaxBytes:               256 << 20,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		MaxOpenFiles:                4096,
		CacheSize:                   o.Tuning.BlockCacheBytes,
		DisableAutomaticCompactions: o.Manual,
		DisableTableStats:           o.Manual,
		Cleaner:                     cleaner{},
	}
	for i := range p.Levels {
		// Filters on every level answer whether a new id exists.
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	if o.Manual || o.FS != vfs.Default {
		// The default scheduler runs a goroutine that a failed Open leaves behind.
		p.Experimental.CompactionScheduler = pdb.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()
	}
	p.EventListener = &pdb.EventListener{
		// Without these two, Pebble would repeat the failed work at once and for ever, and go on accepting commits. They must
		// return, because Pebble calls them with its locks held.
		BackgroundError: func(err error) { l.tripBackground(o.Dir, err) },
		DataCorruption:  func(i pdb.DataCorruptionInfo) { l.trip("read", i.Path, i.Details) },
		DiskSlow:        func(i pdb.DiskSlowInfo) { o.Log("pebble: slow disk: %v", i) },
		WriteStallBegin: func(i pdb.WriteStallBeginInfo) {
			o.Log("pebble: writes stall: %s", i.Reason)
		},
	}
	if o.Tuning.Pebble != nil {
		o.Tuning.Pebble(p)
	}
	return p
}

// pebbleLogger passes Pebble's errors to Options.Log. Fatalf never returns: if it did, Pebble would report success for a
// failed sync.
type pebbleLogger struct {
	log   func(format string, args ...any)
	latch *latch
	dir   string
}

// Infof implements Pebble's logger. It drops these lines.
func (l *pebbleLogger) Infof(string, ...any) {}

// Errorf implements Pebble's logger.
func (l *pebbleLogger) Errorf(format string, args ...any) { l.log("pebble: "+format, args...) }

// Fatalf implements Pebble's logger.
func (l *pebbleLogger) Fatalf(format string, args ...any) {
	l.latch.stop("run the database in", l.dir, fmt.Errorf(format, args...))
}

// cleaner removes obsolete files at once. Pebble takes it for a cleaner that needs the contents of files, as
// [pdb.ArchiveCleaner] does, and therefore keeps no old logs for reuse. Those would be up to five, each as large as a
// memtable, even in an empty store.
type cleaner struct {
	pdb.DeleteCleaner // its Clean is used: that of needsContents is embedded deeper
	needsContents
}

type needsContents struct{ pdb.ArchiveCleaner }

// slowDisk is the duration from which an operation of the disk is logged.
const slowDisk = 5 * time.Second
