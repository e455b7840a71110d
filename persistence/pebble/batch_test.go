package pebble

import (
	"fmt"
	"slices"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

// TestACoreIsDrivenBatchByBatch is a log of its own over the core: two batches that become durable together. What they
// did is visible when it is committed, and leaves when it is released: effects before results, in order.
func TestACoreIsDrivenBatchByBatch(t *testing.T) {
	r := newRig(t, Options{Partitions: 2})
	r.begin()
	c := r.s.core
	var out []string
	note := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for p := range persistence.Partition(2) {
		r.s.Attach(p, func(e *persistence.Effects) { note("effects %d/%d", p, e.Index) })
	}
	apply := func(b *batch, p persistence.Partition, command persistence.Command) {
		c.apply(b, p, &persistence.Proposal{TimeMs: r.now, Epoch: r.epoch, Command: command, Done: func(res persistence.Result) {
			note("result %d/%d", p, res.Index)
		}})
	}
	start := func(id string) persistence.Command { return &persistence.StartInstance{ID: id, Name: "o"} }

	batches := []batch{c.newBatch(), c.newBatch()}
	c.begin(&batches[0])
	apply(&batches[0], 0, start("a"))
	apply(&batches[0], 1, start("b"))
	apply(&batches[0], 0, start("a")) // refused, and takes an index
	if !c.commit(&batches[0]) {
		t.Fatal(c.latch.cause())
	}
	c.begin(&batches[1])
	apply(&batches[1], 0, start("c"))
	if !c.commit(&batches[1]) {
		t.Fatal(c.latch.cause())
	}

	applied, err := c.read(0, func(reader persistence.Reader) error {
		if _, ok, err := reader.Resolve("c"); err != nil || !ok {
			t.Errorf("what is committed is not visible: %v", err)
		}
		return nil
	})
	if err != nil || applied != 4 {
		t.Fatalf("index %d is visible: %v", applied, err)
	}
	c.durable.when(0, applied, func(err error) { note("read of %d: %v", applied, err) })
	if len(out) > 0 {
		t.Fatalf("before the sync %q are let out", out)
	}

	if !c.syncAll() {
		t.Fatal(c.latch.cause())
	}
	for i := range batches {
		if c.release(&batches[i]); !c.end(&batches[i]) {
			t.Fatal(c.latch.cause())
		}
	}
	want := []string{
		"effects 0/2", "result 0/2", "effects 1/2", "result 1/2", "result 0/3", "effects 0/4", "result 0/4", "read of 4: <nil>",
	}
	if !slices.Equal(out, want) {
		t.Fatalf("let out is\n%q, want\n%q", out, want)
	}
}
