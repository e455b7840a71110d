package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client"
	"github.com/turnstone-dev/turnstone/node"
	"github.com/turnstone-dev/turnstone/persistence/pebble"
)

const (
	goldenDir      = "testdata/golden/0.2"
	goldenInbox    = 300              // the bound of inboxes of the closed store
	goldenItems    = goldenInbox + 64 // what its collector waits for: what it holds, and its inbox
	quarterOfAYear = 90 * 24 * time.Hour
)

// TestGolden_a_store_that_an_earlier_version_closed: all in it reads as it did then, and each instance goes on to its end.
func TestGolden_a_store_that_an_earlier_version_closed(t *testing.T) {
	w, was := newGoldenWorld(t, "closed")
	was.reads(w)
	was.restsWithoutCode(w)

	c := newGoldenCode()
	w.open(c.handlers()...)
	for _, id := range []string{"waits", "detached"} {
		w.raise(id, "go", "it")
	}
	children := was.instances("Waiter", func(d client.Description) bool { return d.Parent != nil })
	for _, id := range children {
		w.raise(id, "go", "x")
	}
	w.raise("rounds", "end", "E")
	quarter := "slept"
	if time.Now().Before(was.Instances["quarter"].Description.Created.Add(quarterOfAYear)) {
		w.raise("quarter", "early", "early")
		quarter = "early"
	}
	for id, want := range map[string]string{
		"waits": "got it", "detached": "detached it", "rounds": "E000110", "quarter": quarter, "naps": "NAP", "works": "done",
		"completed": "HELLO 2", "old version": "HELLO", "resumed": "got it", "detacher": "started",
	} {
		completes(w, id, want)
	}
	completes(w, "collects", goldenItems*(goldenItems-1)/2)
	for _, joined := range result[[]string](w, "parent") {
		id, value, _ := strings.Cut(joined, ":")
		if i := slices.Index(children, id); i < 0 || value != "x" {
			t.Errorf("the parent got %q", joined)
		} else {
			children = slices.Delete(children, i, i+1)
		}
	}
	if len(children) > 0 {
		t.Errorf("the parent has no result of %q", children)
	}
	was.failures(w)

	w.until("it is tried by code that does not fit either", func() bool { return w.node.Metrics().HeldTurns > 0 })
	if d := w.describe("held"); d.Held == nil || d.Held.Build != "2" {
		t.Errorf("code of build 2 does not hold it: %+v", d)
	}
	c.fits.Store(true)
	if err := w.c.Release(w.ctx, "held"); err != nil {
		t.Error(err)
	}
	completes(w, "held", "IN GO")
	if n := w.counts(); n != (client.Counts{Completed: was.Counts.Completed + was.Counts.Running, Failed: was.Counts.Failed}) {
		t.Errorf("at the end there are %+v, and there were %+v", n, was.Counts)
	}
	w.finish()
}

// TestGolden_a_store_whose_process_an_earlier_version_lost_under_load: all that was acknowledged is there, and goes on.
func TestGolden_a_store_whose_process_an_earlier_version_lost_under_load(t *testing.T) {
	w, was := newGoldenWorld(t, "killed")
	was.reads(w)

	c := newGoldenCode()
	w.open(c.handlers()...)
	raised := map[string]bool{}
	for _, line := range was.Acknowledged {
		what, id, _ := strings.Cut(line, " ")
		if _, err := w.c.Describe(w.ctx, id); err != nil {
			t.Errorf("an acknowledged %s: %v", what, err)
		}
		raised[id] = raised[id] || what == "raise"
	}
	all := was.instances("Busy", func(client.Description) bool { return true })
	for _, id := range all {
		if raised[id] {
			continue
		}
		// One that was raised, and not acknowledged any more, may have ended.
		if err := client.Raise(w.ctx, w.c, id, "go", "!"); err != nil && !errors.Is(err, turnstone.ErrInstanceEnded) {
			t.Error(err)
		}
	}
	for _, id := range all {
		completes(w, id, strings.ToUpper(id+id)+"!")
	}
	if n := w.counts(); n.Failed+n.Held+n.Pending+n.Running > 0 {
		t.Errorf("at the end there are %+v", n)
	}
	w.finish()
}

// golden is what the version that made a store found in it.
type golden struct {
	t                 *testing.T
	Format            string
	Partitions        int
	Rows              map[string]uint64
	Histories, Events uint64
	Counts            client.Counts
	Listed            []string
	Acknowledged      []string
	Instances         map[string]goldenInstance
}

type goldenInstance struct {
	Description client.Description
	Executions  []client.Execution
	// Histories are the headers and events of each execution.
	Histories [][]string
}

// newGoldenWorld copies a golden store for a world.
func newGoldenWorld(t *testing.T, name string) (*world, *golden) {
	t.Helper()
	w, was := newWorld(t, true), &golden{t: t}
	w.cfg.Limits.Inbox, w.cfg.Build, w.reopened = goldenInbox, "2", true
	w.cfg.Drain = patience
	w.cfg.BackoffBase, w.cfg.BackoffMax = time.Hour, time.Hour // what is held stays so until it is released
	packed, err := os.Open(filepath.Join(goldenDir, name+".tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpack(t, packed, w.cfg.Dir)
	found, err := os.ReadFile(filepath.Join(goldenDir, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(found))
	d.DisallowUnknownFields()
	if err := d.Decode(was); err != nil {
		t.Fatal(err)
	}
	return w, was
}

func unpack(t *testing.T, packed io.Reader, dir string) {
	t.Helper()
	z, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, h.Name)
		if h.FileInfo().IsDir() {
			err = os.MkdirAll(path, 0o755)
		} else {
			var data []byte
			if data, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, data, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// instances are the ids of an orchestration's instances that a condition holds for.
func (g *golden) instances(name string, holds func(client.Description) bool) (ids []string) {
	for _, id := range slices.Sorted(maps.Keys(g.Instances)) {
		if d := g.Instances[id].Description; d.Name == name && holds(d) {
			ids = append(ids, id)
		}
	}
	return ids
}

// reads compares everything in the store, before anything runs on it, with what the other version read.
func (g *golden) reads(w *world) {
	g.t.Helper()
	report, err := pebble.Verify(pebble.Options{Dir: w.cfg.Dir})
	if err != nil || len(report.Damages) > 0 {
		g.t.Fatalf("verify: %v, %v", report.Damages, err)
	}
	if report.Info.Format != g.Format || report.Info.Partitions != g.Partitions || report.Instances != g.Histories || report.Events != g.Events {
		g.t.Errorf("verified: %+v", report)
	}
	if !maps.Equal(report.Rows, g.Rows) {
		g.t.Errorf("rows: %v\nwant %v", report.Rows, g.Rows)
	}
	store, err := node.OpenReadOnly(w.ctx, w.cfg.Dir, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	g.compare(w.ctx, store.Reader(), func(client.Description) bool { return true })
	if err := store.Close(); err != nil {
		g.t.Error(err)
	}
}

// restsWithoutCode opens a node that runs nothing: only a timer may fire.
func (g *golden) restsWithoutCode(w *world) {
	g.t.Helper()
	w.start()
	g.compare(w.ctx, w.c.Reader, func(d client.Description) bool { return d.OpenTimers == 0 })
	if err := client.Raise(w.ctx, w.c, "collects", "item", 0); !errors.Is(err, turnstone.ErrBusy) {
		g.t.Errorf("one more for the full inbox: %v", err)
	}
	if _, err := w.c.Start(w.ctx, "completed", "Greeter", nil); !errors.Is(err, turnstone.ErrAlreadyExists) {
		g.t.Errorf("an id is taken twice: %v", err)
	}
	if err := w.node.Shutdown(w.ctx); err != nil {
		g.t.Fatal(err)
	}
	w.node = nil
}

// compare looks at the counts, the listing, and those instances that a condition holds for.
func (g *golden) compare(ctx context.Context, r *client.Reader, holds func(client.Description) bool) {
	g.t.Helper()
	if counts, err := r.Counts(ctx); err != nil || counts != g.Counts {
		g.t.Errorf("counts: %+v, %v; want %+v", counts, err, g.Counts)
	}
	page, err := r.List(ctx, client.ListRequest{Max: 1000})
	var listed []string
	for _, d := range page.Instances {
		listed = append(listed, d.ID)
	}
	if err != nil || !slices.Equal(listed, g.Listed) {
		g.t.Errorf("listed: %q, %v\nwant %q", listed, err, g.Listed)
	}
	for id, want := range g.Instances {
		if holds(want.Description) {
			g.same(id, g.instance(ctx, r, id), want)
		}
	}
}

func (g *golden) instance(ctx context.Context, r *client.Reader, id string) (got goldenInstance) {
	g.t.Helper()
	d, err := r.Describe(ctx, id)
	if err != nil {
		g.t.Fatal(err)
	}
	d.Why = "" // its words may change
	executions, err := r.Executions(ctx, id)
	if err != nil {
		g.t.Fatal(err)
	}
	got.Description, got.Executions = d, executions
	for _, e := range executions {
		messages := []string{}
		for turn, err := range recorded.Turns(r, ctx, id, e.Number) {
			if err != nil {
				g.t.Fatal(err)
			}
			messages = append(messages, g.text(turn.Header))
			for _, e := range turn.Events {
				messages = append(messages, g.text(e))
			}
		}
		got.Histories = append(got.Histories, messages)
	}
	return got
}

// text is a message as it is written in the golden files.
func (g *golden) text(m proto.Message) string {
	g.t.Helper()
	var v any
	if err := json.Unmarshal([]byte(protojson.Format(m)), &v); err != nil {
		g.t.Fatal(err)
	}
	return string(g.json(v))
}

func (g *golden) json(v any) []byte {
	g.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		g.t.Fatal(err)
	}
	return b
}

func (g *golden) same(id string, got, want goldenInstance) {
	g.t.Helper()
	if a, b := g.json(got), g.json(want); !bytes.Equal(a, b) {
		g.t.Errorf("%s is\n%s\nwant\n%s", id, a, b)
	}
}

// failures compares how instances of the closed store had failed.
func (g *golden) failures(w *world) {
	g.t.Helper()
	for id, kind := range map[string]error{
		"cancelled": turnstone.ErrCancelled, "terminated": turnstone.ErrTerminated, "panicked": turnstone.ErrPanicked,
		"poisoned": turnstone.ErrPoisoned,
	} {
		if f := w.failure(id); !errors.Is(f, kind) {
			g.t.Errorf("%s failed with %v", id, f)
		}
	}
	f := w.failure("failed")
	if details, ok := turnstone.Details[map[string]int](f); !ok || details["code"] != 7 || f.Message != "no money" {
		g.t.Errorf("it failed with %v, details %v", f, details)
	}
}
