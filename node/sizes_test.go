package node_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/node"
)

// TestF15_the_sizes_of_the_store_are_options opens nodes with the smallest and the largest of each, which run, and asks
// for what is beyond.
func TestF15_the_sizes_of_the_store_are_options(t *testing.T) {
	for i, change := range []func(*node.Config){
		func(c *node.Config) { c.MemTableBytes, c.CacheBytes, c.LogAheadBytes = 1<<20, 1<<20, -1 },
		func(c *node.Config) { c.MemTableBytes, c.CacheBytes, c.LogAheadBytes = 1<<30, 1<<30, 1<<30 },
	} {
		cfg := config(t, filepath.Join(t.TempDir(), "store"))
		change(&cfg)
		n := open(t, cfg)
		for id := range 5 {
			run(t, n, fmt.Sprint(id), 4)
		}
		if err := n.Shutdown(deadline(t)); err != nil {
			t.Error(i, err)
		}
	}
	for says, change := range map[string]func(*node.Config){
		"MemTableBytes is 1048575":    func(c *node.Config) { c.MemTableBytes = 1<<20 - 1 },
		"MemTableBytes is 1073741825": func(c *node.Config) { c.MemTableBytes = 1<<30 + 1 },
		"MemTableBytes is -1":         func(c *node.Config) { c.MemTableBytes = -1 },
		"CacheBytes is 1048575":       func(c *node.Config) { c.CacheBytes = 1<<20 - 1 },
	} {
		c := node.Config{Dir: "d"}
		change(&c)
		if err := c.Validate(); !errors.Is(err, turnstone.ErrInvalidInput) || !strings.Contains(err.Error(), says) {
			t.Errorf("%v; want %q", err, says)
		}
	}
}
