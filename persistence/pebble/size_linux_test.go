package pebble

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// allocated is how much of the disk a directory takes, which may be more than its files are long.
func allocated(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() { // a file may go while the store runs
			return nil
		}
		if info, err := e.Info(); err == nil {
			bytes += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return nil
	})
	return bytes
}

// TestF15_an_empty_store_is_small looks at a store of default sizes that has only begun, while it runs and closed, and
// reopened some times.
func TestF15_an_empty_store_is_small(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	for epoch := range uint64(8) {
		s, err := Open(Options{Dir: dir, Partitions: 8})
		must(t, err)
		for p := range persistence.Partition(8) {
			res := await(s, p, persistence.Proposal{Epoch: epoch + 1, Command: persistence.BeginEpoch{Epoch: epoch + 1, Node: "n", Process: "p"}})
			must(t, res.Err)
		}
		if n := allocated(t, dir); n > 4<<20 {
			t.Errorf("run %d: a running empty store takes %d KiB", epoch, n>>10)
		}
		must(t, s.Close())
		if n := allocated(t, dir); n > 1<<20 {
			t.Errorf("run %d: a closed empty store takes %d KiB", epoch, n>>10)
		}
	}
}

// TestF15_a_store_takes_about_what_it_holds writes instances with inputs of a kilobyte. At no time does the store take
// much more than these and two memtables; closed, it takes no more than it holds.
func TestF15_a_store_takes_about_what_it_holds(t *testing.T) {
	instances := 40_000
	if testing.Short() {
		instances = 8_000
	}
	dir := filepath.Join(t.TempDir(), "store")
	s, err := Open(Options{Dir: dir, Partitions: 1})
	must(t, err)
	most := int64(0)
	for from := 0; from < instances; from += 1000 {
		var done sync.WaitGroup
		for i := range 1000 {
			done.Add(1)
			s.Propose(0, persistence.Proposal{
				Command: &persistence.StartInstance{ID: fmt.Sprint(from + i), Name: "o", Input: make([]byte, 1000)},
				Done: func(r persistence.Result) {
					if r.Err != nil {
						t.Error(r.Err)
					}
					done.Done()
				},
			})
		}
		done.Wait()
		most = max(most, allocated(t, dir))
	}
	if bound := int64(instances)*1500 + 80<<20; most > bound {
		t.Errorf("%d instances took %d MiB while they were written; want at most %d", instances, most>>20, bound>>20)
	}
	must(t, s.Close())
	if n, bound := allocated(t, dir), int64(instances)*1500; n > bound {
		t.Errorf("closed, %d instances take %d KiB; want at most %d", instances, n>>10, bound>>10)
	}
	t.Logf("%d instances: at most %d MiB, closed %d KiB", instances, most>>20, allocated(t, dir)>>10)
}
