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

// The place of a store is its directory, and what is found there. The directory itself may be a mount point, the
// working directory, or one whose parent we may not write: it is made if it is missing, and otherwise left where it is.

const (
	// creatingName is the database while it is built, and the only thing that a creation ever removes.
	creatingName = "creating"
	// creatingLockName is the file that a creator locks. It is made first and removed last, so its presence tells the
	// leftovers of a creation from files of another program.
	creatingLockName = "creating.lock"
	// lostAndFound is in the root of every ext4 volume, of an empty one, too.
	lostAndFound = "lost+found"
)

// place is what a look at a directory found.
type place int

const (
	// vacant: the directory is missing or empty.
	vacant place = iota
	// unfinished: a creation is going on or ended before it was whole; nothing in it was ever acknowledged.
	unfinished
	// built is unfinished, but all of the store is there: what is left is to move the database to its name.
	built
	// whole: there is a store.
	whole
)

// examine says what is in the store's place. No other files may be there, and no parts of a store may be missing. An
// error that comes with unfinished is not certain: a creator may be at work.
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
	if foreign == "" { // a name of ours that no creation left alone
		foreign = names[0]
	}
	return vacant, fmt.Errorf("%w: the directory holds other files (%s); name an empty or a new directory",
		ErrNotStore, foreign)
}

// realName is the same for a directory however it is named: the operating system does not keep a process from its own
// locks, so they are told apart by their names. It also stays the same when the working directory or a link changes.
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

// makeDir makes the directory of a new store, if it is missing, and makes sure that it stays.
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
			return missing, nil // what else may be wrong with it, its use will say
		}
		if target, ok := danglingLink(o.FS, dir); ok {
			return nil, fmt.Errorf("%w: %s is a symbolic link to %s, which does not exist; "+
				"make that directory (or mount its volume), or name another one", ErrNotWritable, dir, target)
		}
		missing = append(missing, dir)
	}
}

// danglingLink says where a symbolic link leads that is in the way of a missing directory.
func danglingLink(f vfs.FS, name string) (target string, ok bool) {
	if vfs.Root(f) != vfs.Default {
		return "", false
	}
	target, err := os.Readlink(name)
	return target, err == nil
}

// cannotSync says whether an error only means that this directory is not ours to sync: it may not be read, or it is on
// a file system that is never written.
func cannotSync(err error) bool {
	return mayNot(err) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL)
}

// notWritable is the error of an operation that failed before anything was acknowledged: the caller gets it, and the
// process need not stop.
func notWritable(op, path string, err error) error {
	return fmt.Errorf("%w: %w", ErrNotWritable, failed(op, path, err))
}
