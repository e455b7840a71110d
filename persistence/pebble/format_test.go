package pebble

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestF25_the_format_of_the_database_is_pinned: a newer Pebble must not raise the format of a store by itself. Who changes
// this number changes what older programs can open.
func TestF25_the_format_of_the_database_is_pinned(t *testing.T) {
	mem := closedStore(t)
	s, err := Open(Options{Dir: "store", FS: mem, Manual: true})
	must(t, err)
	if got := s.core.db.FormatMajorVersion(); got != 24 {
		t.Errorf("the database has format %v", got)
	}
	must(t, s.Close())
	names, err := mem.List("store/db")
	must(t, err)
	marked := false
	for _, name := range names {
		marked = marked || strings.HasPrefix(name, "marker.format-version.") && strings.HasSuffix(name, ".024")
	}
	if !marked {
		t.Errorf("no marker of format 24: %v", names)
	}
}

// TestF25_the_first_log_of_a_new_store_is_checked_in_its_middle flips a bit in the first log that has what was
// acknowledged, in a store whose first process was killed. The first log that Pebble itself makes predates the format that
// finds such damage.
func TestF25_the_first_log_of_a_new_store_is_checked_in_its_middle(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s, err := Open(Options{Dir: "store", FS: mem, Partitions: 1, Manual: true})
	must(t, err)
	for i := range 60 {
		s.Propose(0, persistence.Proposal{
			Command: &persistence.StartInstance{ID: fmt.Sprint(i), Name: "o", Input: []byte(strings.Repeat(fmt.Sprint(i), 1500))},
			Done:    func(r persistence.Result) { must(t, r.Err) },
		})
		s.Step(StepApply)
		s.Step(StepSync)
	}
	killed := mem.CrashClone(vfs.CrashCloneCfg{})
	must(t, s.Close())
	log := newestLog(t, killed)
	whole := readFile(t, killed, log)
	if len(whole) < 100<<10 {
		t.Fatalf("the log has %d bytes", len(whole))
	}
	for _, at := range []int{20 << 10, 40 << 10, 70 << 10} {
		damaged := append([]byte(nil), whole...)
		damaged[at] ^= 1
		writeFile(t, killed, log, damaged)
		if s, err := Open(Options{Dir: "store", FS: killed, Manual: true}); !errors.Is(err, persistence.ErrCorrupt) {
			t.Errorf("a flip at %d of %d: %v", at, len(whole), err)
			if err == nil {
				must(t, s.Close())
			}
		}
	}
}
