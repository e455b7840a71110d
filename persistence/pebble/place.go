package pebble

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The place of a store is its directory with its files. The directory itself may be a mount point, the working directory,
// or one whose parent this process may not write. It is made if it is missing, and otherwise never replaced.

const (
	// creatingName is the database while it is built. A creation removes nothing else.
	creatingName = "creating"
	// creatingLockName is the file that a creator locks. It is made first and removed last, so it distinguishes the files of
	// an unfinished creation from those of another program.
	creatingLockName = "creating.lock"
	// lostAndFound is in the root of every ext4 volume, even of an empty one.
	lostAndFound = "lost+found"
)

// place is the state of a store's directory.
type place int

const (
	// vacant: the directory is missing or empty.
	vacant place = iota
	// unfinished: a creation is going on, or ended before it was complete; the store has acknowledged nothing.
	unfinished
	// built is unfinished, but the database and its witness are complete: only the database must be renamed.
	built
	// whole: the directory has a store.
	whole
)

// examine returns the state of the store's directory. It refuses other files, and a store with missing parts. An error
// together with unfinished is not certain, because a creator may be at work.
func examine(o *Options) (place, error) {
	names, err := o.FS.List(o.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return vacant, nil
	}
	if err != nil {
		return vacant, fmt.Errorf("%w: it cannot be listed: %w", ErrNotStore, err)
	}
	has := map[string]bool{}
	foreign := ""
	slices.Sort(names)
	for _, name := range names {
		has[name] = true
		switch name {
		case dbName, witnessName, witnessTemp, creatingName, creatingLockName, lostAndFound:
		default:
			if foreign == "" {
				foreign = name
			}
		}
	}
	if (has[unfinishedName] || has[claimName] && !has[dbName]) && !o.unfinished {
		return vacant, fmt.Errorf("%w: remove %s and make the backup again, or use another one", ErrUnfinished, o.Dir)
	}
	creation := foreign == "" && has[creatingLockName]
	switch {
	case has[dbName] && has[witnessName]:
		return whole, nil
	case creation && has[creatingName] && has[witnessName]:
		return built, nil
	case creation && !has[dbName] && !has[witnessName]:
		return unfinished, nil
	case has[dbName], has[witnessName]:
		missing := dbName
		if has[dbName] {
			missing = witnessName
		}
		at := vacant
		if creation {
			at = unfinished
		}
		return at, fmt.Errorf("%w: %s is missing, though the rest of the store is there; restore the store from a copy",
			ErrBelowWitness, o.FS.PathJoin(o.Dir, missing))
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == lostAndFound })
	if len(names) == 0 {
		return vacant, nil
	}
	if foreign == "" { // one of these names, but without the others of a creation
		foreign = names[0]
	}
	return vacant, fmt.Errorf("%w: the directory holds other files (%s); name an empty or a new directory",
		ErrNotStore, foreign)
}

// realName returns the same name for all paths of a directory. The operating system does not exclude a process by its own
// locks, so this package does, by name. The real name does not change when the working directory or a link does.
func realName(f vfs.FS, dir string) string {
	if vfs.Root(f) != vfs.Default {
		return dir
	}
	name, err := filepath.Abs(dir)
	if err != nil {
		return dir // the operation that uses the name reports what is wrong with it
	}
	if followed, err := filepath.EvalSymlinks(name); err == nil {
		return followed
	}
	return name
}

// makeDir makes the directory of a new store, if it is missing, and makes it durable.
func makeDir(o *Options) error {
	missing, err := missingDirs(o)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		// Sync the parent: the process that made the directory may have ended before it did so.
		parent := o.FS.PathDir(o.Dir)
		if err := syncDir(o.FS, parent); err != nil && !cannotSync(err) {
			return notWritable("sync directory", parent, err)
		}
		return nil
	}
	if err := o.FS.MkdirAll(o.Dir, 0o755); err != nil {
		return notWritable("create directory", o.Dir, err)
	}
	for _, dir := range missing {
		if parent := o.FS.PathDir(dir); parent != dir {
			if err := syncDir(o.FS, parent); err != nil {
				return notWritable("sync directory", parent, err)
			}
		}
	}
	o.Dir = realName(o.FS, o.Dir)
	return nil
}

// missingDirs names the directory if it is missing, and those above it that are, the innermost first.
func missingDirs(o *Options) (missing []string, err error) {
	for dir := o.Dir; ; dir = o.FS.PathDir(dir) {
		if _, err := o.FS.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			return missing, nil // the use of the directory reports other errors
		}
		if target, ok := danglingLink(o.FS, dir); ok {
			return nil, fmt.Errorf("%w: %s is a symbolic link to %s, which does not exist; "+
				"make that directory (or mount its volume), or name another one", ErrNotWritable, dir, target)
		}
		missing = append(missing, dir)
	}
}

// danglingLink returns the target of a symbolic link that has the name of a missing directory.
func danglingLink(f vfs.FS, name string) (target string, ok bool) {
	if vfs.Root(f) != vfs.Default {
		return "", false
	}
	target, err := os.Readlink(name)
	return target, err == nil
}

// cannotSync reports whether an error only means that this process need not sync the directory: it may not read it, or the
// file system is read-only.
func cannotSync(err error) bool {
	return notPermitted(err) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL)
}

// notWritable returns the error of an operation that failed before the store acknowledged anything. The caller gets it, and
// the latch stays open.
func notWritable(op, path string, err error) error {
	return fmt.Errorf("%w: %w", ErrNotWritable, failed(op, path, err))
}
