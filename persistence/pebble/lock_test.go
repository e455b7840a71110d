package pebble

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOneStoreUnderTwoNames opens a store that this process has open already, by other names. The operating system's
// own lock would be given to the same process twice.
func TestOneStoreUnderTwoNames(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "real"), 0o755))
	must(t, os.Symlink("real", filepath.Join(dir, "link")))
	t.Chdir(dir)
	s, err := Open(Options{Dir: "real/store/", Manual: true})
	must(t, err)
	for _, name := range []string{"real/store", "./real/store//", "link/store", filepath.Join(dir, "link/../real/store")} {
		for _, readOnly := range []bool{false, true} {
			again, err := Open(Options{Dir: name, Manual: true, ReadOnly: readOnly})
			if err == nil {
				must(t, again.Close())
			}
			if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "in use by this process") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	must(t, s.Close())
	s, err = Open(Options{Dir: "link/store", Manual: true})
	must(t, err)
	must(t, s.Close())
	if names, err := os.ReadDir("real"); err != nil || len(names) != 1 {
		t.Errorf("beside the store: %v, %v", names, err)
	}
}
