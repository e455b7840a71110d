package pebble

import (
	"fmt"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/ids"
	"github.com/turnstone-dev/turnstone/persistence"
)

// Options say where a store is and how it is run. Only Dir is required.
type Options struct {
	// Dir is the store's directory. The store is created there if the directory does not exist or is empty (a volume's
	// lost+found does not count). It may be a mount point or a symbolic link to a directory; all files are inside it.
	Dir string
	// FS is the file system; nil is the machine's.
	FS vfs.FS
	// Partitions is the number of partitions of a new store, 1 to 256; 0 means persistence.DefaultPartitions. An
	// existing store with another number is refused; 0 accepts any.
	Partitions int
	// Codec is the name of the codec of the values, which the store does not read. The first open for writing that names one
	// records it. A later one that names another is refused with ErrCodec; an empty name is never refused.
	Codec string
	// ReadOnly opens for reading only: Propose ends with persistence.ErrNotLeader. Nothing is created. The store is
	// locked all the same, so its lock must be writable: DIR/db/LOCK. If it is not, the error is ErrNotWritable.
	ReadOnly bool
	// LockWait is about how long Open waits for a store that another process has open: that process may have been killed,
	// and takes a moment to end. 0 means 2 s; negative means not at all. A store that this process has open is refused at
	// once.
	LockWait time.Duration
	// OnFatal is called once, at the first failed write, sync or read, on the goroutine that saw it, and before Pebble can
	// act on it. It must not call the store. It may be nil. The store has failed by then: Stopped is closed, Cause returns the
	// failure, and the process goes on. A goroutine that was writing is blocked and leaked, and the lock of the directory
	// stays held until the process ends.
	OnFatal func(op, path string, err error)
	// Manual runs no goroutine of the store's own: the caller drives it with Store.Step. For simulation.
	Manual bool
	// Clock times the witness and the wait for the lock; nil is the machine's. No result depends on it.
	Clock clock.Clock
	// IDs gives a new store its id; nil is the machine's randomness.
	IDs ids.Source
	// Log is called with a line for each event that an operator should see; nil drops the lines.
	Log func(format string, args ...any)
	// Tuning has no influence on results.
	Tuning Tuning

	// unfinished opens a backup that is being made.
	unfinished bool
}

// Tuning bounds the store's use of memory and goroutines; the zero value of each field means its default.
type Tuning struct {
	// QueueMax and QueueBytes are how many proposals, and about how many bytes of them, may wait before Propose answers
	// ErrBusy. Defaults 16,384 and 256 MiB.
	QueueMax   int
	QueueBytes int
	// ViewsMax is how many reads may wait before View answers ErrBusy, and how many before Load does. Default 16,384.
	ViewsMax int
	// Readers is the number of goroutines that serve views; as many serve loads. Default 4.
	Readers int
	// BatchBytes and BatchCommands close a batch. Defaults 4 MiB and 4,096.
	BatchBytes    int
	BatchCommands int
	// Pipeline is how many batches may be on their way to the disk. Default 2.
	Pipeline int
	// HeadCache is how many heads are kept in memory, and how many work rows. Default 65,536.
	HeadCache int
	// MemTableBytes is how much is written before it goes into a table, in memory and in the log. A store begins with
	// 256 KiB and doubles that up to this as it is written to. Default 32 MiB.
	MemTableBytes uint64
	// LogAheadBytes is how many bytes of a log are at most allocated on disk beyond those that are written. The steps begin
	// with 256 KiB and double up to this. Default 4 MiB; negative means none.
	LogAheadBytes int64
	// BlockCacheBytes bounds the cache for blocks of tables that are read. Default 64 MiB.
	BlockCacheBytes int64
	// Pebble changes Pebble's own options after this package has set them; for tests that force flushes and compactions.
	Pebble func(*pdb.Options)
}

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		return o, fmt.Errorf("open store: Options.Dir is empty; name a directory")
	}
	if o.Partitions < 0 || o.Partitions > persistence.PartitionsMax {
		return o, fmt.Errorf("open store %s: %d partitions; 1 to %d are possible: every partition keeps books about every other one that it talks with",
			o.Dir, o.Partitions, persistence.PartitionsMax)
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	o.Dir = o.FS.PathJoin(o.Dir) // cleaned, as errors name it
	if o.Clock == nil {
		o.Clock = clock.Real
	}
	if o.IDs == nil {
		o.IDs = ids.Real
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	if o.LockWait == 0 {
		o.LockWait = lockWaitDefault
	}
	o.Tuning = o.Tuning.withDefaults()
	return o, nil
}

func (t Tuning) withDefaults() Tuning {
	for _, f := range []struct {
		field *int
		value int
	}{
		{&t.QueueMax, 16_384}, {&t.QueueBytes, 256 << 20}, {&t.ViewsMax, 16_384}, {&t.Readers, 4}, {&t.BatchBytes, 4 << 20},
		{&t.BatchCommands, 4096}, {&t.Pipeline, 2}, {&t.HeadCache, 65_536},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	if t.MemTableBytes == 0 {
		t.MemTableBytes = 32 << 20
	}
	if t.LogAheadBytes == 0 {
		t.LogAheadBytes = 4 << 20
	}
	if t.BlockCacheBytes == 0 {
		t.BlockCacheBytes = 64 << 20
	}
	return t
}
