//go:build !race

// The race detector's own memory would be measured.

package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
)

// live is what the process holds when nothing is left to collect: heap and stacks.
func live() float64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc + s.StackInuse)
}

// held is what instances that wait for an event take.
type held struct {
	each     float64 // live bytes of one
	resident float64 // how many of them stay in memory
	estimate float64 // what the bound of residents counts for one of them
	rest     float64 // of the node, before there was any
}

// waiting starts n instances on a new store and measures them when all wait.
func waiting(t *testing.T, n int, cfg node.Config) held {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	b := &bench{programs: newPrograms(), line: Line{N: n, InFlight: 64}}
	registry, err := b.programs.registry()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Dir, cfg.Registry = t.TempDir(), registry
	nd, err := node.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := nd.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	}()
	b.client = nd.Client()
	h := held{rest: live()}
	err = parallel(n, b.line.InFlight, func(i int) error {
		_, err := client.Start(ctx, b.client, fmt.Sprintf("w6-%d", i), b.programs.wait, 0)
		return err
	})
	if err == nil {
		err = b.allWait(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.each = (live() - h.rest) / float64(n)
	m := nd.Metrics()
	if h.resident = float64(m.Resident); h.resident > 0 {
		h.estimate = float64(m.ResidentBytes) / h.resident
	}
	return h
}

// TestWaitingInstancesFitIntoMemory measures what 20,000 waiting instances take and extrapolates to 100,000, which must
// fit into 400 MB. If the bound of residents has made some of the 20,000 leave, no more than are left stay of 100,000; if
// it has not, all may stay. The others take what an instance takes of which nothing stays, which is measured on a node of
// that kind. The collector lets heap and stacks grow to twice what lives; the program itself and what the journal has
// outside the heap come on top.
func TestWaitingInstancesFitIntoMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	const n, all, most = 20_000, 100_000, 400e6
	const beside = 50e6 // resident memory of a bench that has no instance, above its live heap
	stay, leave := waiting(t, n, node.Config{}), waiting(t, n, node.Config{ResidentBytes: -1})
	if leave.resident != 0 || stay.resident == 0 {
		t.Fatalf("%v stay of a node that may keep them, %v of one that may not", stay.resident, leave.resident)
	}
	share := stay.resident / n
	one := (stay.each - (1-share)*leave.each) / share // of one that stays
	residents := stay.resident
	if residents == n {
		residents = all
	}
	total := beside + 2*(stay.rest+residents*one+(all-residents)*leave.each)
	t.Logf("%.0f of %d stay, %.0f bytes each (estimated %.0f); one that does not: %.0f bytes; the node: %.1f MB",
		stay.resident, n, one, stay.estimate, leave.each, stay.rest/1e6)
	t.Logf("of %d, %.0f stay: %.0f MB", all, residents, total/1e6)
	if total > most {
		t.Errorf("%d waiting instances would take %.0f MB, more than %.0f", all, total/1e6, most/1e6)
	}
}
