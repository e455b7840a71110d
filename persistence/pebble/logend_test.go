package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/wal"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/persistencetest"
)

// withTwoLogs is a store after a crash whose two newest logs both hold what no table holds yet: its flushes were slow.
func withTwoLogs(t *testing.T, seed uint64) *victim {
	t.Helper()
	trace := persistencetest.Generate(seed, 2, 150, 8)
	r := newDriven(trace)
	mem := vfs.NewCrashableMem()
	taken := make(chan struct{})
	var opened atomic.Bool
	slow := &opFS{FS: mem, hook: func(op, path string) error {
		if opened.Load() && op == "create" && strings.HasSuffix(path, ".sst") {
			<-taken
		}
		return nil
	}}
	store, err := Open(Options{Dir: "store", FS: slow, Partitions: 2, Clock: &handClock{}, Tuning: sweepTuning})
	if err != nil {
		t.Fatal(err)
	}
	opened.Store(true)
	image := mem.CrashClone(vfs.CrashCloneCfg{})
	for i := 0; i < len(trace.Steps) && len(recordsOf(t, image)) < 2; i++ {
		r.propose(store, i)
		r.pending.Wait()
		image = mem.CrashClone(vfs.CrashCloneCfg{})
	}
	v := &victim{name: fmt.Sprintf("seed %d, two logs", seed), trace: trace, witnessed: make([]uint64, trace.Partitions)}
	v.files, err = storeFiles(image)
	close(taken)
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	for p := range trace.Partitions {
		v.dumps = append(v.dumps, trace.FinalDump(persistence.Partition(p)))
	}
	return v
}

// logRecords are the places of the records of one log.
type logRecords struct {
	path string
	num  uint64
	at   []int64
}

// recordsOf lists the logs of a store that hold records, the oldest first.
func recordsOf(t *testing.T, fs vfs.FS) (logs []logRecords) {
	t.Helper()
	found, err := wal.Scan(wal.Dir{FS: fs, Dirname: "store/db"})
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range found {
		_, path := log.SegmentLocation(0)
		records := logRecords{path: path, num: uint64(log.Num)}
		r := log.OpenForRead()
		for {
			_, at, err := r.NextRecord()
			if err != nil {
				break
			}
			records.at = append(records.at, at.Physical)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if len(records.at) > 0 {
			logs = append(logs, records)
		}
	}
	return logs
}

// forgedEnd makes a record of a log look like the log's end: Pebble takes a header with the next log's number for that,
// before it looks at the checksum. In a log with an even number one flipped bit is enough.
func forgedEnd(log logRecords, at int64) harm {
	return harm{path: log.path, what: fmt.Sprintf("record at %d made an end", at), do: func(b []byte) []byte {
		b = slices.Clone(b)
		binary.LittleEndian.PutUint32(b[at+7:], uint32(log.num+1))
		return b
	}}
}

// forgedReport is what a child process has seen of forged ends.
type forgedReport struct {
	Outcomes map[outcome]int
	Failures []string
}

// TestDamageForgedEndOfALog makes each record of each log look like its end. A store that has lost what follows must be
// refused: in a log that is not the last one that is a hole, which no index shows.
func TestDamageForgedEndOfALog(t *testing.T) {
	var seed uint64
	if isChild(t, &seed) {
		report(forgeEnds(t, withTwoLogs(t, seed)))
	}
	for seed = range 3 {
		var r forgedReport
		runChild(t, seed, &r)
		for _, f := range r.Failures {
			t.Error(f)
		}
		if r.Outcomes[outRefused] < 10 || len(r.Outcomes) != 1 {
			t.Errorf("seed %d: forged ends were %v; each of at least ten must be refused", seed, r.Outcomes)
		}
	}
}

func forgeEnds(t *testing.T, v *victim) forgedReport {
	r := forgedReport{Outcomes: map[outcome]int{}}
	fs, err := layOut(v.files)
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range recordsOf(t, fs) {
		for _, at := range log.at {
			h := forgedEnd(log, at)
			result, err := v.try(h)
			if r.Outcomes[result]++; err != nil {
				r.Failures = append(r.Failures, fmt.Sprintf("%s: %s %s: %s: %v", v.name, h.path, h.what, result, err))
			}
		}
	}
	return r
}

// TestALogThatEndsAtABlockEndIsWhole writes logs that end at each of the last places of a block, where the trailer goes
// into the next block behind some zeros, both closed and cut off by a crash.
func TestALogThatEndsAtABlockEndIsWhole(t *testing.T) {
	const block = 32 << 10
	for size := block - 90; size < block+10; size++ {
		mem := vfs.NewCrashableMem()
		o := pebbleOptions(&Options{Dir: "store", FS: mem, Manual: true, Tuning: sweepTuning}, mem, nil)
		o.ErrorIfNotExists, o.MemTableSize = false, 1<<20
		db, err := pdb.Open("store/db", o)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Set([]byte("k"), make([]byte, size), pdb.Sync); err != nil {
			t.Fatal(err)
		}
		crashed := mem.CrashClone(vfs.CrashCloneCfg{})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for name, fs := range map[string]vfs.FS{"closed": mem, "crashed": crashed} {
			if len(recordsOf(t, fs)) == 0 {
				t.Errorf("a value of %d bytes, %s: no log has a record", size, name)
			}
			if err := checkLogEnds(fs, "store/db"); err != nil {
				t.Errorf("a value of %d bytes, %s: %v", size, name, err)
			}
		}
	}
}
