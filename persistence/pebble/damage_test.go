package pebble

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/persistencetest"
)

var damageTrials = flag.Int("damage", 0, "damages to try; 0 means 4,000, or 240 with -short, or 60 with -race")

// victim is a whole store on a memory file system, and what it holds.
type victim struct {
	name  string
	trace *persistencetest.Trace
	files map[string][]byte
	// live are the tables that are in use.
	live  map[string]bool
	dumps []string
	// witnessed is the lowest index of each partition that may be found without an error: what was durable when the
	// witness was last written. After a clean close that is everything.
	witnessed []uint64
}

// storeFiles reads every file of a store, by path.
func storeFiles(fs vfs.FS) (map[string][]byte, error) {
	files := map[string][]byte{}
	dirs := []string{"store"}
	for len(dirs) > 0 {
		dir := dirs[0]
		dirs = dirs[1:]
		names, err := fs.List(dir)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			path := fs.PathJoin(dir, name)
			info, err := fs.Stat(path)
			if err != nil {
				return nil, err
			}
			if info.IsDir() {
				dirs = append(dirs, path)
				continue
			}
			if files[path], err = contentOf(fs, path); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

func contentOf(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	return b, errors.Join(err, f.Close())
}

// layOut makes a file system of files.
func layOut(files map[string][]byte) (*vfs.MemFS, error) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("store/db", 0o755); err != nil {
		return nil, err
	}
	for path, content := range files {
		f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
		if err != nil {
			return nil, err
		}
		_, err = f.Write(bytes.Clone(content))
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
	return fs, nil
}

// newVictim runs a workload and takes what is on the disk afterwards: after a clean close, or after a crash some time
// after the last witness.
func newVictim(t *testing.T, seed uint64, length int, tuning Tuning, crash bool) *victim {
	t.Helper()
	trace := persistencetest.Generate(seed, 2, length, 8)
	r := newDriven(trace)
	mem := vfs.NewCrashableMem()
	clock := &handClock{}
	o := Options{Dir: "store", FS: mem, Partitions: 2, Clock: clock, Tuning: tuning}
	store, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{name: fmt.Sprintf("seed %d, %d commands, crash %v", seed, length, crash), trace: trace}
	for i := range trace.Steps {
		r.propose(store, i)
		if i%3 == 0 || i == len(trace.Steps)*3/4 {
			r.pending.Wait()
		}
		if i == len(trace.Steps)*3/4 {
			clock.fire()
			v.witnessed = r.atLeast()
		}
	}
	r.pending.Wait()
	image := mem.CrashClone(vfs.CrashCloneCfg{})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if !crash {
		image, v.witnessed = mem.CrashClone(vfs.CrashCloneCfg{}), r.atLeast()
	}
	if v.files, err = storeFiles(image); err != nil {
		t.Fatal(err)
	}
	if v.live, err = liveTables(image); err != nil {
		t.Fatal(err)
	}
	for p := range trace.Partitions {
		v.dumps = append(v.dumps, trace.FinalDump(persistence.Partition(p)))
	}
	return v
}

// liveTables are the tables that a store uses.
func liveTables(image *vfs.MemFS) (map[string]bool, error) {
	s, err := Open(Options{Dir: "store", FS: image, Manual: true, ReadOnly: true, Tuning: sweepTuning})
	if err != nil {
		return nil, err
	}
	live := map[string]bool{}
	levels, err := s.core.db.SSTables()
	for _, level := range levels {
		for _, table := range level {
			live[fmt.Sprintf("store/db/%06d.sst", table.FileNum)] = true
		}
	}
	return live, errors.Join(err, s.Close())
}

// harm is one damage to one file.
type harm struct {
	path string
	what string
	// do gives the damaged content; gone means that the file is deleted.
	do   func(content []byte) []byte
	gone bool
}

// harms are damages of every kind to every file: deleted, emptied, cut anywhere, zeroed from somewhere, and bits flipped
// at so many places.
func (v *victim) harms(dice *rand.Rand, flips int) (all []harm) {
	paths := make([]string, 0, len(v.files))
	for path := range v.files {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		n := len(v.files[path])
		all = append(all, harm{path: path, what: "deleted", gone: true})
		if n == 0 {
			continue
		}
		all = append(all, harm{path: path, what: "emptied", do: func([]byte) []byte { return nil }})
		for _, at := range []int{1, n / 2, n - 1, dice.IntN(n), dice.IntN(n)} {
			all = append(all,
				harm{path: path, what: fmt.Sprintf("cut at %d of %d", at, n), do: func(b []byte) []byte { return b[:at] }},
				harm{path: path, what: fmt.Sprintf("zeroed from %d of %d", at, n), do: func(b []byte) []byte {
					return append(slices.Clone(b[:at]), make([]byte, len(b)-at)...)
				}})
		}
		for range flips {
			at, bit := dice.IntN(n), dice.IntN(8)
			all = append(all, harm{path: path, what: fmt.Sprintf("bit %d of byte %d of %d flipped", bit, at, n),
				do: func(b []byte) []byte {
					b = slices.Clone(b)
					b[at] ^= 1 << bit
					return b
				}})
		}
	}
	return all
}

// outcome is how a trial ended.
type outcome string

const (
	outRefused  outcome = "refused by Open"
	outFound    outcome = "found on reading"
	outHarmless outcome = "harmless"
	outLimit    outcome = "lost within the stated limit"
	outSilent   outcome = "lost silently"
)

// try damages a copy of the store, opens it for writing and compares what it holds.
func (v *victim) try(h harm) (outcome, error) {
	files := map[string][]byte{}
	for path, content := range v.files {
		if path == h.path && h.gone {
			continue
		}
		if files[path] = content; path == h.path {
			files[path] = h.do(content)
		}
	}
	fs, err := layOut(files)
	if err != nil {
		return "", err
	}
	verified, err := v.verify(fs, h, files)
	if err != nil {
		return "", err
	}
	var stop error
	s, err := Open(Options{Dir: "store", FS: fs, Partitions: 2, Manual: true, Tuning: sweepTuning,
		OnFatal: func(op, path string, err error) { stop = fmt.Errorf("%s %s: %w", op, path, err) }})
	if err != nil {
		if !verified {
			return outRefused, fmt.Errorf("Verify found nothing, and Open refuses it: %w", err)
		}
		return outRefused, errors.Join(named(err, h.path), untouched(fs, files))
	}
	result, err := v.compare(s)
	if result == outFound && !verified {
		err = errors.Join(err, errors.New("Verify found nothing, and reading fails"))
	}
	if cerr := s.Close(); err == nil && result != outFound && cerr != nil {
		err = fmt.Errorf("close: %w", errors.Join(cerr, stop))
	}
	return result, err
}

// verify reports whether Verify finds damage. It must find any within a table that is in use, and change nothing.
func (v *victim) verify(fs vfs.FS, h harm, files map[string][]byte) (bool, error) {
	rep, err := Verify(Options{Dir: "store", FS: fs, Tuning: sweepTuning, OnFatal: func(string, string, error) {}})
	found := err != nil || len(rep.Damages) > 0
	if v.live[h.path] && !found {
		return false, errors.New("Verify does not find damage in a table that is in use")
	}
	return found, untouched(fs, files)
}

// compare reads everything and says what became of it.
func (v *victim) compare(s *Store) (outcome, error) {
	result := outHarmless
	for p := range v.trace.Partitions {
		d, err := s.Dump(persistence.Partition(p))
		switch {
		case err != nil:
			return outFound, nil
		case d.String() == v.dumps[p]:
		case v.trace.CheckDump(d, v.witnessed[p]) == nil && d.State.Applied < v.trace.Length(persistence.Partition(p)):
			result = outLimit
		default:
			return outSilent, fmt.Errorf("partition %d ends at index %d of %d, %d was witnessed, and no error says so: %v",
				p, d.State.Applied, v.trace.Length(persistence.Partition(p)), v.witnessed[p], v.trace.CheckDump(d, v.witnessed[p]))
		}
	}
	return result, nil
}

// named checks that an error says which store, and that what it says is of the vocabulary.
func named(err error, path string) error {
	known := errors.Is(err, ErrBelowWitness) || errors.Is(err, persistence.ErrCorrupt) || errors.Is(err, ErrFormat) ||
		errors.Is(err, ErrNotStore)
	if !known || !strings.Contains(err.Error(), "store") {
		return fmt.Errorf("%s: the error does not say what it means: %w", path, err)
	}
	return nil
}

// untouched checks that a refused open has changed and deleted nothing: every file is where it was, or in the archive.
func untouched(fs vfs.FS, before map[string][]byte) error {
	after, err := storeFiles(fs)
	if err != nil {
		return err
	}
	for path, content := range before {
		now, there := after[path]
		if !there {
			now, there = after[fs.PathJoin("store/archive", fs.PathBase(path))]
		}
		if !there {
			return fmt.Errorf("the refused open deleted %s", path)
		}
		if !bytes.Equal(now, content) && fs.PathBase(path) != "LOCK" {
			return fmt.Errorf("the refused open changed %s", path)
		}
	}
	return nil
}

// kindOf names a file's kind.
func kindOf(path string) string { return strings.TrimSpace(fileKind(path, "")) }

// damageBatch is what a child process is to do: a store that stopped at damage leaves goroutines behind.
type damageBatch struct {
	Round  uint64
	Trials int
}

// damageReport is what it has seen.
type damageReport struct {
	Trials   int
	Counts   map[string]map[outcome]int // by kind of file
	Live     int                        // damages to tables that are in use, each of which Verify must find
	Failures []string
}

// TestDamage damages every kind of file in every way. Nothing may be lost without an error, but for the limit that
// docs/reliability.md states: what became durable after the last witness before a crash. A refused open must have changed nothing, and
// Verify must find what Open or a read finds, and any damage to a table that is in use.
func TestDamage(t *testing.T) {
	var batch damageBatch
	if isChild(t, &batch) {
		report(damageChild(t, batch))
	}
	trials := *damageTrials
	if trials == 0 {
		switch {
		case underRace: // what becomes of the store is the other run's business
			trials = 60
		case testing.Short():
			trials = 240
		default:
			trials = 4000
		}
	}
	began := time.Now()
	total := damageReport{Counts: map[string]map[outcome]int{}}
	for batch := (damageBatch{Trials: min(trials, 800)}); total.Trials < trials && !t.Failed(); batch.Round++ {
		var r damageReport
		runChild(t, batch, &r)
		total.Trials += r.Trials
		total.Live += r.Live
		for kind, counts := range r.Counts {
			for result, n := range counts {
				total.count(kind, result, n)
			}
		}
		for _, f := range r.Failures {
			t.Error(f)
		}
	}
	t.Logf("%d damages in %v, %d of them to tables in use", total.Trials, time.Since(began).Round(time.Millisecond), total.Live)
	for kind, c := range total.Counts {
		t.Logf("%-10s %v", kind, c)
	}
}

func (r *damageReport) count(kind string, result outcome, n int) {
	if r.Counts[kind] == nil {
		r.Counts[kind] = map[outcome]int{}
	}
	r.Counts[kind][result] += n
}

func damageChild(t *testing.T, b damageBatch) damageReport {
	r := damageReport{Counts: map[string]map[outcome]int{}}
	dice := rand.New(rand.NewPCG(b.Round, 9))
	for _, v := range []*victim{
		newVictim(t, 20+b.Round, 150, sweepTuning, false), newVictim(t, 40+b.Round, 150, sweepTuning, true),
		newVictim(t, 60+b.Round, 150, Tuning{}, false), newVictim(t, 80+b.Round, 150, Tuning{}, true),
	} {
		harms := v.harms(dice, 12)
		dice.Shuffle(len(harms), func(i, j int) { harms[i], harms[j] = harms[j], harms[i] })
		for _, h := range harms[:min(len(harms), max(1, b.Trials/4))] {
			result, err := v.try(h)
			if err != nil {
				r.Failures = append(r.Failures, fmt.Sprintf("%s: %s %s: %s: %v", v.name, h.path, h.what, result, err))
			}
			r.Trials++
			r.count(kindOf(h.path), result, 1)
			if v.live[h.path] {
				r.Live++
			}
		}
	}
	return r
}
