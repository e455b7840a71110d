package pebble

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/persistencetest"
)

// kitStore is a store under the conformance kit, on a memory file system that can crash.
type kitStore struct {
	t  persistencetest.T
	o  Options
	fs *vfs.MemFS

	mu sync.Mutex // one goroutine at a time drives a manual store
	s  *Store
}

// kitHarness makes stores with these options. Verify must find nothing in what is left of them if it is to be true.
func kitHarness(name string, o Options, truthful bool) persistencetest.Harness {
	return persistencetest.Harness{Name: name, Open: func(t persistencetest.T, partitions int) persistencetest.Store {
		o.Dir, o.Partitions = "store", partitions
		k := &kitStore{t: t, o: o, fs: vfs.NewCrashableMem()}
		if err := k.open(); err != nil {
			t.Fatalf("%v", err)
		}
		t.Cleanup(func() {
			if err := k.s.Close(); err != nil {
				t.Errorf("%v", err)
			}
			if !truthful {
				return
			}
			rep, err := Verify(Options{Dir: "store", FS: k.fs, Tuning: o.Tuning})
			if err != nil || len(rep.Damages) > 0 {
				t.Errorf("Verify of the closed store: %v %+v", err, rep.Damages)
			}
		})
		return k
	}}
}

func (k *kitStore) open() (err error) {
	o := k.o
	o.FS = k.fs
	o.OnFatal = func(op, path string, err error) { k.t.Errorf("the store stops: %s %s: %v", op, path, err) }
	k.s, err = Open(o)
	return err
}

func (k *kitStore) Journal() persistence.Journal { return k.s }

func (k *kitStore) Dump(p persistence.Partition) (*persistence.Dump, error) { return k.s.Dump(p) }

// Settle takes the steps of a manual store; one that is not does so by itself.
func (k *kitStore) Settle() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.s.Step(StepApply) || k.s.Step(StepSync) || k.s.Step(StepView) {
	}
}

func (k *kitStore) Reopen() error {
	if err := k.s.Close(); err != nil {
		return err
	}
	return k.open()
}

// Crash takes the image of what is synced and goes on from there; the old store ends on its old file system.
func (k *kitStore) Crash() error {
	image := k.fs.CrashClone(vfs.CrashCloneCfg{})
	leave := k.s.Close
	if k.o.Manual {
		leave = k.s.Drop
	}
	err := leave()
	k.fs = image
	return errors.Join(err, k.open())
}

// small forces what a store of a test would not reach: memtables that fill, flushes and compactions.
func small(p *pdb.Options) {
	p.MemTableSize = 16 << 10
	p.L0CompactionThreshold = 2
	p.LBaseMaxBytes = 64 << 10
	for i := range p.Levels {
		p.Levels[i].BlockSize = 512
	}
	for i := range p.TargetFileSizes {
		p.TargetFileSizes[i] = 8 << 10
	}
}

// kitKinds are the ways in which a store is run under the kit.
func kitKinds() map[string]Options {
	return map[string]Options{
		"goroutines": {},
		"manual":     {Manual: true},
		"small":      {Tuning: Tuning{BatchCommands: 3, Pipeline: 1, HeadCache: 4, MemTableBytes: 16 << 10, Pebble: small}},
	}
}

// stride is of tests that break an operation at each of its steps. Under the race detector they take every fifth: what
// becomes of the store is the other run's business.
func stride() int {
	if underRace {
		return 5
	}
	return 1
}

// TestKit runs every case of the kit.
func TestKit(t *testing.T) {
	for name, o := range kitKinds() {
		t.Run(name, func(t *testing.T) { persistencetest.Run(t, kitHarness(name, o, true)) })
	}
}

// TestKitRandom gives the same random commands to differently run stores, cut into different batches, with reopenings
// in between. All must equal the model.
func TestKitRandom(t *testing.T) {
	seeds, length := 4, 9000
	if testing.Short() {
		seeds = 1
	}
	if underRace {
		seeds, length = 1, 3000 // enough for the detector; what the commands do is the other run's business
		if testing.Short() {
			length = 1000
		}
	}
	for seed := range uint64(seeds) {
		trace := persistencetest.Generate(seed, 3, length, 30)
		if !underRace {
			persistencetest.CheckCoverage(persistencetest.NewT(t), trace.Coverage)
		}
		for name, o := range kitKinds() {
			t.Run(fmt.Sprintf("seed_%d_%s", seed, name), func(t *testing.T) {
				kt := persistencetest.NewT(t)
				persistencetest.Play(kt, kitHarness(name, o, seed%2 == 0).Open(kt, 3), trace, seed+uint64(len(name)), 6)
			})
		}
	}
}

// TestKitViews plays shorter traces, of which every view in between is compared with the model at the same index.
func TestKitViews(t *testing.T) {
	seeds := 24
	switch {
	case underRace && testing.Short():
		seeds = 1
	case underRace:
		seeds = 2
	case testing.Short():
		seeds = 4
	}
	for seed := range uint64(seeds) {
		trace := persistencetest.Generate(1000+seed, 2, 300, 8)
		for name, o := range kitKinds() {
			t.Run(fmt.Sprintf("seed_%d_%s", seed, name), func(t *testing.T) {
				kt := persistencetest.NewT(t)
				persistencetest.Play(kt, kitHarness(name, o, seed%2 == 0).Open(kt, 2), trace, seed+uint64(len(name)), 3)
			})
		}
	}
}
