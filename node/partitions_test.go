package node_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/node"
	"github.com/turnstone-dev/turnstone/persistence"
)

// TestF13_more_partitions_than_are_fast_are_refused by name, with the reason; as many as are allowed run.
func TestF13_more_partitions_than_are_fast_are_refused(t *testing.T) {
	err := node.Config{Dir: "d", Partitions: persistence.PartitionsMax + 1}.Validate()
	if !errors.Is(err, turnstone.ErrInvalidInput) || !strings.Contains(err.Error(), "Config.Partitions is 257; 1 to 256 are possible: every") {
		t.Errorf("%v", err)
	}
	cfg := config(t, filepath.Join(t.TempDir(), "store"))
	cfg.Partitions = persistence.PartitionsMax
	if raceEnabled { // it costs thirty times as much then
		cfg.Partitions = 32
	}
	n := open(t, cfg)
	run(t, n, "i", 4)
	if err := n.Shutdown(deadline(t)); err != nil {
		t.Error(err)
	}
}
