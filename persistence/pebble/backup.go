package pebble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/internal/failpoint"
)

// A backup is a store of its own: a database, and a witness that says what it holds. Its steps, each durable before the
// next:
//
//	backup.unfinished   the directory is refused as a store as long as this is there
//	db                  the database as it is at one moment, in tables and logs
//	witness             what the copy was found to hold
//	                    the whole copy is verified, and backup.unfinished is removed
//
// An error removes what was made. A crash leaves backup.unfinished.

var (
	// ErrUnfinished: the directory holds a backup that was not finished.
	ErrUnfinished = errors.New("a backup that was not finished")
	// ErrNotEmpty: the directory for a backup holds something.
	ErrNotEmpty = errors.New("not an empty directory")
)

// unfinishedName is the file that says that a backup is not to be used.
const unfinishedName = "backup.unfinished"

// Backup writes a copy of the store, as it is at one moment, into a directory, which must be empty or missing and not in
// the store. The store goes on meanwhile. All that was acknowledged before the call is in the copy. The copy is verified
// as a whole, as [Verify] does it, before Backup returns nil. It opens as a store with the same id.
//
// On the file system of the store tables are not copied but linked, which takes no space at first. Damage of the disk
// there may meet both.
//
// A backup that fails leaves nothing behind, and the store goes on: a full disk fails the backup only, unless the store
// is on it. When ctx ends, the backup fails with its error; it is asked between steps and while the copy is verified.
func (s *Store) Backup(ctx context.Context, dir string) error {
	w := &witness{store: s.info.ID, durable: s.durable.snapshot()}
	return s.backup(ctx, dir, w, func(db string) error {
		if s.o.ReadOnly {
			return s.copyFiles(db)
		}
		_, err := guarded(s.latch, func() (struct{}, error) { return struct{}{}, s.checkpoint(db) })
		return err
	})
}

// checkpoint has Pebble copy its database. The store is not closed meanwhile. Pebble panics with the error of a
// directory that cannot be synced; it holds no lock there.
func (s *Store) checkpoint(db string) (err error) {
	s.asking.RLock()
	defer s.asking.RUnlock()
	defer func() {
		switch r := recover().(type) {
		case nil:
		case runtime.Error:
			panic(r)
		case error:
			err = r
		default:
			panic(r)
		}
	}()
	select {
	case <-s.stopped:
		return s.Cause()
	default:
	}
	if err := s.latch.cause(); err != nil {
		return err
	}
	return s.db.Checkpoint(db, pdb.WithFlushedWAL())
}

// Backup copies a store that no process has open, as [Store.Backup] copies one that runs. Nothing in the store is changed.
func Backup(ctx context.Context, o Options, dir string) error {
	o.ReadOnly = true
	s, err := OpenContext(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(s.Backup(ctx, dir), s.Close())
}

// copyFiles copies a database that nothing writes.
func (s *Store) copyFiles(db string) error {
	f := s.o.FS
	if err := f.MkdirAll(db, 0o755); err != nil {
		return err
	}
	names, err := f.List(s.dbDir)
	if err != nil {
		return err
	}
	for _, name := range names {
		copyFile := vfs.Copy
		switch {
		case name == "LOCK":
			continue
		case strings.HasSuffix(name, ".sst"): // it is never written again
			copyFile = vfs.LinkOrCopy
		}
		if err := copyFile(f, f.PathJoin(s.dbDir, name), f.PathJoin(db, name)); err != nil {
			return err
		}
	}
	return syncDir(f, db)
}

// backupCache is the cache that the verification of a backup has.
const backupCache = 8 << 20

// backup makes a backup. files copies the database into a directory that is missing; w says what that must hold.
func (s *Store) backup(ctx context.Context, dir string, w *witness, files func(db string) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("backup of %s to %s: %w", s.o.Dir, dir, err)
		}
	}()
	c := Options{
		Dir: s.o.FS.PathJoin(dir), FS: s.o.FS, Manual: s.o.Manual, Clock: s.o.Clock, IDs: s.o.IDs, Log: s.o.Log, unfinished: true,
		Tuning: Tuning{BlockCacheBytes: backupCache},
	}
	if err := c.checkTarget(s.o.Dir); err != nil {
		return err
	}
	if err := makeDir(&c); err != nil {
		return err
	}
	c.Dir = realName(c.FS, c.Dir)
	err = writeFileSynced(c.FS, c.FS.PathJoin(c.Dir, unfinishedName), []byte(s.o.Dir+"\n"))
	if err == nil {
		err = c.fillBackup(ctx, w, files)
	}
	if err != nil {
		return errors.Join(err, c.removeBackup())
	}
	return nil
}

// checkTarget refuses a directory that is not empty, or that is in the store or around it.
func (o *Options) checkTarget(store string) error {
	within := func(dir, name string) bool {
		return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
	}
	if name := futureName(o.FS, o.Dir); within(store, name) || within(name, store) {
		return fmt.Errorf("%w: a backup cannot be in its store, nor around it; name another directory", ErrNotEmpty)
	}
	names, err := o.FS.List(o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		switch name {
		case lostAndFound:
		case unfinishedName:
			return fmt.Errorf("%w is in it; remove it first, or name another directory", ErrUnfinished)
		default:
			return fmt.Errorf("%w: it holds %s; name an empty or a new directory", ErrNotEmpty, name)
		}
	}
	return nil
}

// futureName is the real name that a directory will have, which may not exist yet.
func futureName(f vfs.FS, dir string) string {
	if _, err := f.Stat(dir); err != nil && f.PathDir(dir) != dir {
		return f.PathJoin(futureName(f, f.PathDir(dir)), f.PathBase(dir))
	}
	return realName(f, dir)
}

// fillBackup fills a directory that has the mark of an unfinished backup, and takes the mark away.
func (o *Options) fillBackup(ctx context.Context, w *witness, files func(db string) error) error {
	db := o.FS.PathJoin(o.Dir, dbName)
	if err := errors.Join(syncDir(o.FS, o.Dir), ctx.Err()); err != nil {
		return err
	}
	if err := files(db); err != nil {
		return err
	}
	failpoint.Hit("backup.copied")
	if err := errors.Join(syncDir(o.FS, o.Dir), ctx.Err()); err != nil {
		return err
	}
	if err := w.name(o.FS, db); err != nil {
		return err
	}
	if err := writeWitness(o.FS, o.Dir, w); err != nil {
		return err
	}
	failpoint.Hit("backup.witnessed")
	report, err := VerifyContext(ctx, *o)
	if err != nil {
		return fmt.Errorf("the copy cannot be verified: %w", err)
	}
	if n := len(report.Damages); n > 0 {
		return fmt.Errorf("the copy is damaged in %d places, so the store is or the new disk; verify both. The first: %v",
			uint64(n)+report.More, report.Damages[0])
	}
	w.durable = report.applied
	if err := writeWitness(o.FS, o.Dir, w); err != nil {
		return err
	}
	failpoint.Hit("backup.verified")
	if err := o.FS.Remove(o.FS.PathJoin(o.Dir, unfinishedName)); err != nil {
		return err
	}
	return syncDir(o.FS, o.Dir)
}

// name has the witness name the logs and manifests of a database that nothing writes, with their whole lengths.
func (w *witness) name(f vfs.FS, db string) error {
	names, err := f.List(db)
	if err != nil {
		return err
	}
	w.logs = nil
	for _, name := range names {
		if !isWitnessed(name) {
			continue
		}
		info, err := f.Stat(f.PathJoin(db, name))
		if err != nil {
			return err
		}
		if info.Size() > 0 {
			w.logs = append(w.logs, witnessLog{name: name, synced: info.Size()})
		}
	}
	return nil
}

// removeBackup removes what a backup made that failed, its mark last.
func (o *Options) removeBackup() error {
	var err error
	for _, name := range []string{dbName, witnessName, witnessTemp} {
		err = errors.Join(err, o.FS.RemoveAll(o.FS.PathJoin(o.Dir, name)))
	}
	if err == nil {
		err = o.FS.RemoveAll(o.FS.PathJoin(o.Dir, unfinishedName))
	}
	return err
}
