package pebble

import (
	"errors"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone/persistence"
)

func TestW1IsTwoCommits(t *testing.T) {
	r := newRig(t, Options{Partitions: 1})
	r.begin()
	before := r.s.Metrics()
	first := r.ok(0, fusedStart("i"))
	if first.IID != 1 || first.Turn != 1 || first.Index != 2 {
		t.Fatalf("%+v", first)
	}
	r.ok(0, lastTurn("i", first.IID, r.epoch))
	if m := r.s.Metrics(); m.Commands != 3 || m.Iterators != before.Iterators || m.Gets > before.Gets+1 {
		t.Fatalf("before %+v, after %+v", before, m)
	}
	d := r.dump(0)
	if len(d.Heads) != 1 || d.Heads[0].Status != persistence.StatusCompleted || len(d.Work) != 0 || len(d.Parts) != 2 {
		t.Fatal(d)
	}
	if d.State.Completed != 1 || d.State.Running != 0 || d.State.Applied != 3 {
		t.Fatal(d)
	}
	var work, ended int
	for _, e := range r.effects {
		work += len(e.Work) - len(e.WorkDeleted)
		ended += len(e.Ended)
	}
	if work != 0 || ended != 1 {
		t.Fatalf("effects: %+v", r.effects)
	}
}

func TestReopenKeepsEverything(t *testing.T) {
	r := newRig(t, Options{Partitions: 2})
	r.begin()
	r.ok(0, fusedStart("i"))
	r.ok(1, &persistence.StartInstance{ID: "j", Name: "o", Request: persistence.Request{Key: "k"}})
	before := r.dump(0).String() + r.dump(1).String()
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	r.open(Options{Dir: "store", FS: r.fs, Manual: true})
	if got := r.dump(0).String() + r.dump(1).String(); got != before {
		t.Fatalf("before:\n%s\nafter:\n%s", before, got)
	}
	if res := r.ok(1, &persistence.StartInstance{ID: "j", Name: "o", Request: persistence.Request{Key: "k"}}); !res.Repeated || res.IID != 1 {
		t.Fatalf("%+v", res)
	}
}

func TestOpenRefuses(t *testing.T) {
	r := newRig(t, Options{Partitions: 2})
	try := func(o Options, want error, text string) {
		t.Helper()
		o.FS, o.Manual = r.fs, true
		s, err := Open(o)
		if err == nil {
			_ = s.Close()
			t.Fatalf("opened; want %v", want)
		}
		if !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
			t.Fatalf("got %v; want %v with %q", err, want, text)
		}
	}
	try(Options{Dir: "store"}, ErrInUse, "store")
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	try(Options{Dir: "store", Partitions: 3}, ErrPartitions, "it has 2 and 3 were asked for")
	try(Options{Dir: "none", ReadOnly: true}, ErrNoStore, "none")
	r.open(Options{Dir: "store", FS: r.fs, Manual: true})
}
