package node_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/turnstone-dev/turnstone/node"
)

// TestStoreIsMadeInsideItsDirectory makes a store in an empty directory that is there already: by a symbolic link, and
// as the working directory. Nothing but the store is left, and reading reports whether there is one.
func TestStoreIsMadeInsideItsDirectory(t *testing.T) {
	for name, dir := range map[string]string{"a symbolic link": "../link", "the working directory": "."} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			volume := filepath.Join(base, "volume")
			for _, err := range []error{
				os.MkdirAll(filepath.Join(volume, "lost+found"), 0o700), os.Symlink("volume", filepath.Join(base, "link")),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			t.Chdir(volume)
			if _, err := node.OpenReadOnly(deadline(t), dir, nil); !errors.Is(err, node.ErrNoStore) {
				t.Errorf("an empty directory, for reading: %v", err)
			}
			n := open(t, config(t, dir))
			run(t, n, "a", 4)
			if _, err := node.Open(deadline(t), config(t, volume)); !errors.Is(err, node.ErrInUse) {
				t.Errorf("by its other name: %v", err)
			}
			if err := n.Shutdown(deadline(t)); err != nil {
				t.Fatal(err)
			}
			if v, err := node.Verify(deadline(t), volume); err != nil || len(v.Damages) != 0 {
				t.Errorf("verify: %+v, %v", v, err)
			}
			for where, want := range map[string]int{base: 2, volume: 4} { // there: lost+found, db, witness, node
				if files, err := os.ReadDir(where); err != nil || len(files) != want {
					t.Errorf("in %s: %v, %v", where, files, err)
				}
			}
			if info, err := os.Lstat(filepath.Join(base, "link")); err != nil || info.Mode()&fs.ModeSymlink == 0 {
				t.Errorf("the link: %v, %v", info, err)
			}
		})
	}
}
