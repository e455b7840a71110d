package pebble

import (
	"fmt"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
)

// newStore puts together what a store needs, all but the database.
func newStore(o *Options, f *latchFS, dbDir string, seen *found) *Store {
	s := &Store{
		o: *o, fs: f, latch: f.latch, logs: f.logs, dbDir: dbDir, table: seen.store.slots,
		info:  persistence.StoreInfo{ID: seen.store.id, Format: seen.store.format, Partitions: seen.store.partitions},
		sinks: make([]*func(*persistence.Effects), seen.store.partitions),
		views: newViewQueue(o.Tuning.ViewsMax),

		wake:      make(chan struct{}, 1),
		slots:     make(chan struct{}, o.Tuning.Pipeline),
		submitted: make(chan *flight, o.Tuning.Pipeline),
		drained:   make(chan struct{}),
		spare:     make(chan *flight, o.Tuning.Pipeline+1),
		closing:   make(chan struct{}),
		closed:    make(chan struct{}),
		stopped:   make(chan struct{}),
	}
	if o.ReadOnly {
		s.mu.closed = errReadOnly
	}
	s.manual.s = s
	durable := make([]uint64, seen.store.partitions)
	for i, row := range seen.partitions {
		durable[i] = row.Applied
		s.machines = append(s.machines, &machine{
			p: persistence.Partition(i), partitions: seen.store.partitions, slots: s.table, state: row,
			heads: newHeadCache(max(1, o.Tuning.HeadCache/seen.store.partitions)),
			works: newWorkCache(max(1, o.Tuning.HeadCache/seen.store.partitions)), known: newKnownKeys(),
		})
	}
	s.durable = newDurableIndexes(durable)
	return s
}

func (s *Store) attachDB(db *pdb.DB) {
	s.db = db
	s.txn = newTxn(db, &s.stats)
	for _, m := range s.machines {
		m.t = s.txn
	}
}

// healthy reports slow operations of the real disk. It stops nothing.
func (s *Store) healthy() vfs.FS {
	if s.o.FS != vfs.Default {
		return s.fs
	}
	var f vfs.FS
	f, s.health = vfs.WithDiskHealthChecks(s.fs, slowDisk, nil, func(i vfs.DiskSlowInfo) { s.o.Log("slow disk: %v", i) })
	return f
}

// closeHealth stops the goroutine behind healthy.
func (s *Store) closeHealth() error {
	if c := s.health; c != nil {
		return c.Close()
	}
	return nil
}

var errReadOnly = fmt.Errorf("%w: the store is open for reading only", persistence.ErrNotLeader)
