// Package limit measures the most that turn-shaped commits can reach on this machine: one writer, group commit, two
// dependent synced commands per orchestration, the same rows as a real turn writes, and nothing else. Every figure of
// ours is printed beside it, from the same run.
//
// It reads nothing from the store, because the engine's writer reads nothing on the same path. It must not know the
// engine: it links Pebble alone.
package limit

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Rows are the sizes in bytes of what one orchestration of one activity writes. They are those of the engine's rows,
// as counted by bench's test on a real store.
type Rows struct {
	NameKey, NameValue       int
	HeadKey, HeadValue       int
	FirstPart, LastPart      int
	PartKey                  int
	WorkKey, WorkValue       int
	IndexKey                 int
	PartitionKey, Partition  int
	Partitions, BatchMaximum int
}

// DefaultRows are the engine's.
var DefaultRows = Rows{
	NameKey: 13, NameValue: 2, HeadKey: 11, HeadValue: 82, FirstPart: 150, LastPart: 95, PartKey: 35, WorkKey: 27,
	WorkValue: 26, IndexKey: 20, PartitionKey: 3, Partition: 77, Partitions: 8, BatchMaximum: 512,
}

// Result is one run.
type Result struct {
	Orchestrations int
	Seconds        float64
	PerSec         float64
	Syncs          int64
}

type command struct {
	id   uint64
	step int
	done chan struct{}
}

type flight struct {
	batch    *pebble.Batch
	commands []*command
}

type writer struct {
	db      *pebble.DB
	rows    Rows
	value   []byte
	batches atomic.Int64
	in      chan *command
	err     atomic.Pointer[error]
}

// Run starts n orchestrations with inFlight of them at a time on a new store under dir, which it removes.
func Run(dir string, n, inFlight int, rows Rows) (Result, error) {
	store, err := os.MkdirTemp(dir, "limit")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(store)
	db, err := pebble.Open(store, &pebble.Options{
		MemTableSize: 64 << 20, MemTableStopWritesThreshold: 4, FormatMajorVersion: 24, // as the store has
		Logger: quiet{},
	})
	if err != nil {
		return Result{}, err
	}
	w := &writer{db: db, rows: rows, value: make([]byte, 64<<10), in: make(chan *command, 4096)}
	finished := make(chan struct{})
	go func() { defer close(finished); w.run() }()
	start := time.Now()
	w.drive(n, inFlight)
	seconds := time.Since(start).Seconds()
	close(w.in)
	<-finished
	if err := w.err.Load(); err != nil {
		return Result{}, *err
	}
	if err := db.Close(); err != nil {
		return Result{}, err
	}
	return Result{Orchestrations: n, Seconds: seconds, PerSec: float64(n) / seconds, Syncs: w.batches.Load()}, nil
}

func (w *writer) drive(n, inFlight int) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range inFlight {
		wg.Go(func() {
			c := &command{done: make(chan struct{}, 1)}
			for {
				id := next.Add(1)
				if id > int64(n) {
					return
				}
				c.id = uint64(id)
				for c.step = range 2 {
					w.in <- c
					<-c.done
				}
			}
		})
	}
	wg.Wait()
}

// run fills the next batch while the previous one is being synced.
func (w *writer) run() {
	pending := make(chan flight, 4)
	released := make(chan struct{})
	go func() {
		defer close(released)
		for f := range pending {
			w.note(f.batch.SyncWait())
			w.note(f.batch.Close())
			for _, c := range f.commands {
				c.done <- struct{}{}
			}
		}
	}()
	for c := range w.in {
		f := flight{batch: w.db.NewBatch(), commands: []*command{c}}
		touched := w.write(f.batch, c)
	fill:
		for len(f.commands) < w.rows.BatchMaximum {
			select {
			case next, ok := <-w.in:
				if !ok {
					break fill
				}
				touched |= w.write(f.batch, next)
				f.commands = append(f.commands, next)
			default:
				break fill
			}
		}
		w.partitions(f.batch, touched)
		w.note(w.db.ApplyNoSyncWait(f.batch, pebble.Sync))
		w.batches.Add(1)
		pending <- f
	}
	close(pending)
	<-released
}

func (w *writer) note(err error) {
	if err != nil {
		w.err.CompareAndSwap(nil, &err)
	}
}

func (w *writer) key(c *command, family byte, size int, n uint64) []byte {
	k := make([]byte, size)
	binary.BigEndian.PutUint16(k, uint16(c.id%uint64(w.rows.Partitions)))
	k[2] = family
	binary.BigEndian.PutUint64(k[3:], c.id)
	if size >= 19 {
		binary.BigEndian.PutUint64(k[11:], n)
	}
	return k
}

// write adds the rows of one turn and reports which partition it touched, as a bit.
func (w *writer) write(b *pebble.Batch, c *command) uint64 {
	r := w.rows
	w.note(b.Set(w.key(c, 'h', r.HeadKey, 0), w.value[:r.HeadValue], nil))
	if c.step == 0 {
		w.note(b.Set(w.key(c, 'n', r.NameKey, 0), w.value[:r.NameValue], nil))
		w.note(b.Set(w.key(c, 'e', r.PartKey, 1), w.value[:r.FirstPart], nil))
		w.note(b.Set(w.key(c, 'w', r.WorkKey, 1), w.value[:r.WorkValue], nil))
		w.note(b.Set(w.key(c, 'x', r.IndexKey, 1), nil, nil))
	} else {
		w.note(b.Set(w.key(c, 'e', r.PartKey, 2), w.value[:r.LastPart], nil))
		w.note(b.Delete(w.key(c, 'w', r.WorkKey, 1), nil))
		w.note(b.Delete(w.key(c, 'x', r.IndexKey, 1), nil))
		w.note(b.Set(w.key(c, 'x', r.IndexKey, 2), nil, nil))
	}
	return 1 << (c.id % uint64(r.Partitions))
}

// partitions adds the row of each partition that the batch touched.
func (w *writer) partitions(b *pebble.Batch, touched uint64) {
	for p := range w.rows.Partitions {
		if touched&(1<<p) != 0 {
			k := make([]byte, w.rows.PartitionKey)
			binary.BigEndian.PutUint16(k, uint16(p))
			w.note(b.Set(k, w.value[:w.rows.Partition], nil))
		}
	}
}

// BareSync measures n bare syncs of one 200-byte append each, one after the other, in milliseconds: the median.
func BareSync(dir string, n int) (float64, error) {
	f, err := os.CreateTemp(dir, "sync")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	took := make([]float64, 0, n)
	block := make([]byte, 200)
	for range n {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := datasync(f); err != nil {
			return 0, fmt.Errorf("fdatasync: %w", err)
		}
		took = append(took, float64(time.Since(start))/1e6)
	}
	return median(took), nil
}

type quiet struct{}

func (quiet) Infof(string, ...any)      {}
func (quiet) Errorf(f string, a ...any) { fmt.Fprintf(os.Stderr, "limit: "+f+"\n", a...) }
func (quiet) Fatalf(f string, a ...any) { panic(fmt.Sprintf("limit: "+f, a...)) }
