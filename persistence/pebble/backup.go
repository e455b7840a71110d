package pebble

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/internal/failpoint"
)

// A backup is a store of its own, with a database and a witness. Its steps, each durable before the next:
//
//	backup.claim        created by one backup only: until it is removed, no other backup writes or removes anything here
//	backup.unfinished   as long as it exists, the directory is refused as a store
//	db                  the database as it is at one moment, in tables and logs
//	witness             the logs of the copy, with their lengths, and its durable indexes
//	                    the whole copy is verified; then backup.claim is removed, then backup.unfinished
//
// After an error the backup removes all that it made. A crash leaves backup.unfinished, or, if it comes before that, only
// backup.claim.

var (
	// ErrUnfinished: the directory holds a backup that was not finished.
	ErrUnfinished = errors.New("a backup that was not finished")
	// ErrNotEmpty: the directory for a backup is not empty, or it lies in the store or around it.
	ErrNotEmpty = errors.New("not an empty directory of its own")
)

// unfinishedName is the file that marks a backup which must not be used.
const unfinishedName = "backup.unfinished"

// claimName is the file of the backup that has claimed a directory. No other backup removes it.
const claimName = "backup.claim"

// Backup writes a copy of the store, as it is at one moment, into a directory, which must be empty or missing and not in
// the store. The store goes on meanwhile. The copy has all that was acknowledged before the call. It is verified as a whole,
// as [Verify] does it, before Backup returns nil. It opens as a store with the same id.
//
// On the file system of the store, tables are linked instead of copied, which takes no space at first. Damage of the disk
// to such a table damages the store and the backup.
//
// Of several backups into one directory, of this process or others, one is made and the others fail.
//
// A backup that fails removes all that it made, also directories, and the store goes on: a full disk fails the store only if
// the store is on it. When ctx ends, the backup fails with its error; it checks ctx between steps and during verification.
func (s *Store) Backup(ctx context.Context, dir string) error {
	w := &witness{store: s.core.info.ID, durable: s.core.durable.snapshot()}
	return s.backup(ctx, dir, w, func(db string) error {
		if s.o.ReadOnly {
			return s.copyFiles(db)
		}
		_, err := guarded(s.core.latch, func() (struct{}, error) { return struct{}{}, s.checkpoint(db) })
		return err
	})
}

// checkpoint has Pebble copy its database, and keeps the store from being closed meanwhile. Pebble panics with the error of
// a directory that cannot be synced, without holding a lock; checkpoint returns that error.
func (s *Store) checkpoint(db string) (err error) {
	s.readers.RLock()
	defer s.readers.RUnlock()
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
	case <-s.log.Stopped():
		return s.Cause()
	default:
	}
	if err := s.core.latch.cause(); err != nil {
		return err
	}
	return s.core.db.Checkpoint(db, pdb.WithFlushedWAL())
}

// Backup copies a store that no process has open, as [Store.Backup] copies one that runs. It does not change the store.
func Backup(ctx context.Context, o Options, dir string) error {
	o.ReadOnly = true
	s, err := OpenContext(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(s.Backup(ctx, dir), s.Close())
}

// copyFiles copies a database that is not written meanwhile.
func (s *Store) copyFiles(db string) error {
	f := s.o.FS
	if err := f.MkdirAll(db, 0o755); err != nil {
		return err
	}
	names, err := f.List(s.core.dbDir)
	if err != nil {
		return err
	}
	for _, name := range names {
		copyFile := vfs.Copy
		switch {
		case name == "LOCK":
			continue
		case strings.HasSuffix(name, ".sst"): // a table is never written again
			copyFile = vfs.LinkOrCopy
		}
		if err := copyFile(f, f.PathJoin(s.core.dbDir, name), f.PathJoin(db, name)); err != nil {
			return err
		}
	}
	return syncDir(f, db)
}

// backupCache is the size of the block cache for the verification of a backup.
const backupCache = 8 << 20

// backup makes a backup. files copies the database into a directory that does not exist yet; the copy must have at least
// what w claims.
func (s *Store) backup(ctx context.Context, dir string, w *witness, files func(db string) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("backup of %s to %s: %w", s.o.Dir, dir, err)
		}
	}()
	c := Options{
		Dir: futureName(s.o.FS, s.o.FS.PathJoin(dir)), FS: s.o.FS, Manual: s.o.Manual, Clock: s.o.Clock, IDs: s.o.IDs, Log: s.o.Log,
		Tuning: Tuning{BlockCacheBytes: backupCache}, unfinished: true,
	}
	if err := errors.Join(c.checkTarget(s.o.Dir), ctx.Err()); err != nil {
		return err
	}
	missing, err := missingDirs(&c)
	if err != nil {
		return err
	}
	err = makeDir(&c)
	if err == nil {
		err = c.claim()
	}
	if err == nil {
		err = c.makeBackup(ctx, s.o.Dir, w, files)
	}
	if err != nil {
		return errors.Join(err, c.removeDirs(missing))
	}
	return nil
}

// makeBackup makes a backup in a directory that is claimed. If it fails, it removes all that it made.
func (o *Options) makeBackup(ctx context.Context, store string, w *witness, files func(db string) error) error {
	unfinished, claim := o.FS.PathJoin(o.Dir, unfinishedName), o.FS.PathJoin(o.Dir, claimName)
	err := writeFileSynced(o.FS, unfinished, []byte(store+"\n"))
	if err == nil {
		err = o.fillBackup(ctx, w, files)
	}
	if err == nil {
		err = o.FS.Remove(claim)
	}
	if err != nil {
		return errors.Join(err, o.removeBackup(), o.FS.RemoveAll(claim))
	}
	// From here on, another backup may claim the directory; it finds this backup and gives its claim up.
	if err = o.FS.Remove(unfinished); err == nil {
		err = syncDir(o.FS, o.Dir)
	}
	if err != nil {
		return errors.Join(err, o.removeBackup())
	}
	return nil
}

// checkTarget refuses a directory that is not empty, or that is in the store or around it.
func (o *Options) checkTarget(store string) error {
	within := func(dir, name string) bool {
		return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
	}
	if within(store, o.Dir) || within(o.Dir, store) {
		return fmt.Errorf("%w: a backup cannot be in its store, nor around it; name another directory", ErrNotEmpty)
	}
	return o.checkEmpty("")
}

// checkEmpty refuses a directory that has any other file than the one named.
func (o *Options) checkEmpty(but string) error {
	names, err := o.FS.List(o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	foreign := ""
	slices.Sort(names)
	for _, name := range names {
		switch name {
		case lostAndFound, but:
		case unfinishedName:
			return o.taken(name)
		default:
			if foreign == "" || foreign == claimName {
				foreign = name
			}
		}
	}
	switch foreign {
	case "":
		return nil
	case claimName:
		return o.taken(claimName)
	}
	return fmt.Errorf("%w: it holds %s; name an empty or a new directory", ErrNotEmpty, foreign)
}

// taken returns the error for a directory that has the file of another backup.
func (o *Options) taken(name string) error {
	return fmt.Errorf("%w is in it, which may be in the making (%s); if none is, remove %s first, or name another directory",
		ErrUnfinished, name, o.Dir)
}

// futureName returns the real name of a directory that may not exist yet.
func futureName(f vfs.FS, dir string) string {
	if _, err := f.Stat(dir); err != nil && f.PathDir(dir) != dir {
		return f.PathJoin(futureName(f, f.PathDir(dir)), f.PathBase(dir))
	}
	return realName(f, dir)
}

// fillBackup fills a directory that has the mark of an unfinished backup, and verifies the copy.
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
	return nil
}

// name adds the logs and manifests of a database that is not written to the witness, with their whole lengths.
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

// removeBackup removes all that a failed backup made, its mark last.
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
