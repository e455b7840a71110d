package pebble

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// claim claims the directory, which was found empty, for one backup: other backups there, in any process, fail without
// having written or removed anything. claim checks the directory again once it has the claim, since another backup may have
// been made there meanwhile.
func (o *Options) claim() error {
	claim := o.FS.PathJoin(o.Dir, claimName)
	err := createExclusive(o.FS, claim)
	if errors.Is(err, fs.ErrExist) {
		return o.taken(claimName)
	}
	if err != nil {
		return fmt.Errorf("it cannot be claimed: %w", err)
	}
	if err := o.checkEmpty(claimName); err != nil {
		return errors.Join(err, o.FS.RemoveAll(claim))
	}
	return nil
}

// creating is held while a file is created in a file system that cannot do so exclusively.
var creating sync.Mutex

// createExclusive creates an empty file. The error for a file that exists is fs.ErrExist. Pebble's file systems can only
// replace such a file, so on the machine's it uses the operating system. No other process sees the other file systems.
func createExclusive(f vfs.FS, name string) error {
	root := vfs.Root(f)
	if root == vfs.Default {
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		return file.Close()
	}
	creating.Lock()
	defer creating.Unlock()
	if _, err := root.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fs.ErrExist, err)
	}
	file, err := root.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	return file.Close()
}

// removeDirs removes directories that a backup made, the innermost first, as far as they are empty.
func (o *Options) removeDirs(made []string) error {
	for _, dir := range made {
		names, err := o.FS.List(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		case len(names) > 0:
			return nil
		}
		if err := o.FS.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
