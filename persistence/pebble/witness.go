package pebble

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence/rowcode"
)

// The witness is a small file beside Pebble's directory. It has what Pebble's files must contain at least. Without it, Pebble
// would open a store whose newest log or manifest was cut or lost, without an error, and then delete files that it no longer
// knows.
//
// The witness never claims more than is durable: it is built from completed syncs, and it drops a log before the log's file
// is removed.

const (
	witnessName    = "witness"
	witnessTemp    = "witness.new"
	witnessMagic   = "turnstone witness\n"
	witnessVersion = 1
)

// witness is the content of the file.
type witness struct {
	store   string
	durable []uint64 // index by partition
	logs    []witnessLog
}

// witnessLog is a log or manifest that is not obsolete and the length that is synced.
type witnessLog struct {
	name   string
	synced int64
}

func (w *witness) encode() []byte {
	e := rowcode.Enc(witnessMagic)
	e.Version(witnessVersion)
	e.S(w.store)
	e.U(uint64(len(w.durable)))
	for _, index := range w.durable {
		e.U(index)
	}
	e.U(uint64(len(w.logs)))
	for _, l := range w.logs {
		e.S(l.name)
		e.I(l.synced)
	}
	sum := sha256.Sum256(e)
	e.Raw(sum[:])
	return e
}

func decodeWitness(b []byte) (*witness, error) {
	n := len(b) - sha256.Size
	if n < 0 || !bytes.HasPrefix(b, []byte(witnessMagic)) {
		return nil, errors.New("it is cut short or is no witness file")
	}
	if sum := sha256.Sum256(b[:n]); !bytes.Equal(sum[:], b[n:]) {
		return nil, errors.New("its checksum is wrong")
	}
	d := rowcode.NewDec(b[len(witnessMagic):n], witnessVersion)
	w := &witness{store: d.S()}
	for range min(d.U(), uint64(n)) {
		w.durable = append(w.durable, d.U())
	}
	for range min(d.U(), uint64(n)) {
		w.logs = append(w.logs, witnessLog{name: d.S(), synced: d.I()})
	}
	return w, d.Done()
}

func readWitness(f vfs.FS, dir string) (*witness, error) {
	file, err := f.Open(f.PathJoin(dir, witnessName))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(file)
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	return decodeWitness(b)
}

// writeWitness replaces the file: a crash leaves the old one or the new one. Its error is a Failure.
func writeWitness(f vfs.FS, dir string, w *witness) error {
	temp := f.PathJoin(dir, witnessTemp)
	if err := writeFileSynced(f, temp, w.encode()); err != nil {
		return err
	}
	if err := f.Rename(temp, f.PathJoin(dir, witnessName)); err != nil {
		return failed("rename", temp, err)
	}
	if err := syncDir(f, dir); err != nil {
		return failed("sync directory", dir, err)
	}
	return nil
}

// writeFileSynced writes a whole file. Its error is a Failure.
func writeFileSynced(f vfs.FS, path string, content []byte) error {
	file, err := f.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return failed("create", path, err)
	}
	op := "write"
	if _, err = file.Write(content); err == nil {
		op, err = "sync", file.Sync()
	}
	if cerr := file.Close(); err == nil && cerr != nil {
		op, err = "close", cerr
	}
	if err != nil {
		return failed(op, path, err)
	}
	return nil
}

// checkLogs refuses a log of the witness that is missing or shorter than its synced length, or a manifest that is damaged
// within it.
func (w *witness) checkLogs(f vfs.FS, dbDir string) error {
	for _, l := range w.logs {
		path := f.PathJoin(dbDir, l.name)
		info, err := f.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("log %s is missing; %d bytes of it were synced", path, l.synced)
		case err != nil:
			return fmt.Errorf("log %s cannot be read: %w", path, err)
		case info.Size() < l.synced:
			return fmt.Errorf("log %s has %d bytes; %d were synced", path, info.Size(), l.synced)
		case isManifest(l.name):
			if err := checkManifest(f, path, l.synced); err != nil {
				return err
			}
		}
	}
	return nil
}

// witnessKeeper writes the witness file. Its methods may be called from any goroutine.
type witnessKeeper struct {
	// fs is the file system below the latch: its errors are returned, and core.writeWitness passes them to the latch.
	fs    vfs.FS
	dir   string
	store string
	logs  *logTable
	// durable returns the durable index of each partition now.
	durable func() []uint64

	mu   sync.Mutex
	last []byte
}

func (k *witnessKeeper) setDurable(durable func() []uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.durable = durable
}

// writeWitness writes the witness. It stops the store if that fails, unless the process is only short of file descriptors:
// then the last witness stays, which claims less and is still true.
func (c *core) writeWitness() error {
	if err := c.latch.cause(); err != nil {
		return err
	}
	err := c.keeper.write()
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		c.o.Log("the witness of the store cannot be renewed: %v; it is tried again within %v. Until then a disk that loses "+
			"what it has confirmed is not noticed. Raise the limit of open files of this process", err, witnessEvery)
		return err
	}
	var f *Failure
	if !errors.As(err, &f) {
		f = failed("write witness", c.o.Dir, err)
	}
	c.latch.trip(f.Op, f.Path, f.Err)
	return err
}

// write writes what is durable now into the file, unless the file has it already.
func (k *witnessKeeper) write() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	// The two reads need no common lock: the indexes and the lengths only grow, and never beyond what is synced.
	w := &witness{store: k.store, durable: k.durable(), logs: k.logs.live()}
	if invariants.Enabled {
		w.verifyAfter(k.last)
	}
	b := w.encode()
	if bytes.Equal(b, k.last) {
		return nil
	}
	if err := writeWitness(k.fs, k.dir, w); err != nil {
		return err
	}
	k.last = b
	return nil
}
