package limit_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/bench/limit"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// sizes are the rows of one family: how many, and their keys' and values' bytes.
type sizes struct{ rows, keys, values int }

// TestRowsAreTheEngines counts the rows that real orchestrations of one activity leave, once while their activities
// are open and once when they have ended, and holds the limit's rows against them.
func TestRowsAreTheEngines(t *testing.T) {
	const n = 64
	open, ended := count(t, n, false), count(t, n, true)
	for family := range open {
		if _, known := map[byte]bool{'N': true, 'H': true, 'E': true, 'W': true, 'X': true, 'P': true}[family]; !known {
			t.Errorf("a first turn leaves rows of family %q, which the limit does not write", family)
		}
	}
	if open['W'].rows != n || ended['W'].rows != 0 || ended['E'].rows != 2*n || ended['X'].rows != n {
		t.Fatalf("open %v, ended %v", open, ended)
	}
	r := limit.DefaultRows
	near := func(what string, got, want int) {
		t.Helper()
		if got < want*85/100 || got > want*115/100 {
			t.Errorf("%s: the engine's is %d bytes, the limit's %d", what, got, want)
		}
	}
	last := (ended['E'].values - open['E'].values) / n
	near("name key", open['N'].keys/n, r.NameKey)
	near("name", open['N'].values/n, r.NameValue)
	near("head key", open['H'].keys/n, r.HeadKey)
	near("head", ended['H'].values/n, r.HeadValue)
	near("part key", ended['E'].keys/(2*n), r.PartKey)
	near("first part", open['E'].values/n, r.FirstPart)
	near("last part", last, r.LastPart)
	near("work key", open['W'].keys/n, r.WorkKey)
	near("work", open['W'].values/n, r.WorkValue)
	near("index key", ended['X'].keys/n, r.IndexKey)
	near("partition", ended['P'].values/ended['P'].rows, r.Partition)
}

// count runs n orchestrations and counts their store's rows; without end their activity has no slot to run in.
func count(t *testing.T, n int, end bool) map[byte]sizes {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	hello := turnstone.NewActivity("hello", func(_ turnstone.ActivityContext, who string) (string, error) { return "hello " + who, nil })
	one := turnstone.NewOrchestration("One", func(ctx *turnstone.Context, _ int) (string, error) { return hello.Call(ctx, "w") })
	registry := turnstone.NewRegistry()
	must(t, registry.Register(hello, one))
	slots := -1
	if end {
		slots = 4
	}
	node, err := node.Open(ctx, node.Config{Dir: dir, Registry: registry, ActivitySlots: slots})
	must(t, err)
	for i := range n {
		run, err := client.Start(ctx, node.Client(), fmt.Sprintf("w1-%05d", i), one, 1)
		must(t, err)
		if end {
			_, err = run.Wait(ctx)
			must(t, err)
		}
	}
	must(t, node.Shutdown(ctx))
	return read(t, filepath.Join(dir, "db"))
}

func read(t *testing.T, dir string) map[byte]sizes {
	t.Helper()
	db, err := pebble.Open(dir, &pebble.Options{ReadOnly: true, FormatMajorVersion: pebble.FormatNewest})
	must(t, err)
	defer func() { must(t, db.Close()) }()
	it, err := db.NewIter(nil)
	must(t, err)
	defer func() { must(t, it.Close()) }()
	found := map[byte]sizes{}
	for it.First(); it.Valid(); it.Next() {
		if it.Key()[0] == 0xff {
			continue // the store's own row
		}
		s := found[it.Key()[2]]
		s.rows++
		s.keys += len(it.Key())
		s.values += len(it.Value())
		found[it.Key()[2]] = s
	}
	must(t, it.Error())
	return found
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
