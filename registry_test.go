package turnstone_test

import (
	"context"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/turnstone-dev/turnstone"
)

func at(name, version string) turnstone.Handler {
	return turnstone.NewOrchestration(name, func(*turnstone.Context, int) (string, error) { return version, nil },
		turnstone.WithVersion(version))
}

func act(name string) turnstone.Handler {
	return turnstone.NewActivity(name, func(turnstone.ActivityContext, int) (int, error) { return 0, nil })
}

func registryOf(t *testing.T, handlers ...turnstone.Handler) *turnstone.Registry {
	t.Helper()
	r := turnstone.NewRegistry()
	if err := r.Register(handlers...); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRegistryResolves(t *testing.T) {
	plain := turnstone.NewOrchestration("Plain", func(*turnstone.Context, int) (int, error) { return 0, nil })
	r := registryOf(t, plain, at("A", "1.0.0"), at("A", "1.1.0"), at("A", "2.0.0-rc.1"), at("A", "2.0.0"), at("B", "3.0.0"))
	if plain.Version() != "1.0.0" {
		t.Errorf("the default version is %s", plain.Version())
	}
	for _, c := range []struct{ name, version, want string }{
		{"Plain", "", "1.0.0"}, {"A", "", "2.0.0"}, {"A", "1.1.0", "1.1.0"}, {"A", "2.0.0-rc.1", "2.0.0-rc.1"},
		{"A", "0.0.0", ""}, {"A", "9.9.9", ""}, {"A", "1.1", ""}, {"A", "latest", ""}, {"C", "", ""}, {"a", "", ""},
	} {
		got, fn, ok := registries.Orchestration(r, c.name, c.version)
		if got != c.want || ok != (c.want != "") || (fn != nil) != ok {
			t.Errorf("%s@%q resolves to %q, %v; want %q", c.name, c.version, got, ok, c.want)
		}
	}
	resolve := func(name string) string { v, _, _ := registries.Orchestration(r, name, ""); return v }
	r.SetVersionPolicy("A", turnstone.Exact("1.1.0"))
	if resolve("A") != "1.1.0" || resolve("B") != "3.0.0" {
		t.Errorf("exact policy: A %s, B %s", resolve("A"), resolve("B"))
	}
	r.SetVersionPolicy("A", turnstone.Exact("7.0.0"))
	if _, _, ok := registries.Orchestration(r, "A", ""); ok {
		t.Error("a policy for a version that is not there resolves")
	}
	r.SetVersionPolicy("A", turnstone.Latest)
	if resolve("A") != "2.0.0" {
		t.Errorf("latest again: %s", resolve("A"))
	}
	r.SetVersionPolicy("Later", turnstone.Latest)
	if names := r.Orchestrations(); !reflect.DeepEqual(names, []string{"A", "B", "Plain"}) {
		t.Errorf("names %v", names)
	}
	if v := r.Versions("A"); !reflect.DeepEqual(v, []string{"1.0.0", "1.1.0", "2.0.0-rc.1", "2.0.0"}) || r.Versions("C") != nil {
		t.Errorf("versions %v, %v", v, r.Versions("C"))
	}
}

func TestRegistryRefuses(t *testing.T) {
	for _, c := range []struct {
		handlers []turnstone.Handler
		want     string
	}{
		{[]turnstone.Handler{at("A", "1.0.0"), at("A", "1.0.0")}, "duplicate orchestration registration: A@1.0.0"},
		{[]turnstone.Handler{at("A", "2.0.0"), at("A", "1.1.0")}, "non-monotonic orchestration version: A@1.1.0 after 2.0.0"},
		{[]turnstone.Handler{act("X"), act("X")}, "duplicate activity registration: X"},
		{[]turnstone.Handler{act("__turnstone_syscall:now")}, "reserved prefix __turnstone_syscall:"},
		{[]turnstone.Handler{at("__turnstone_syscall:now", "1.0.0")}, "reserved prefix"},
		{[]turnstone.Handler{at("A", "v1")}, `orchestration A: the version "v1" is not a semantic version`},
		{[]turnstone.Handler{act("")}, "invalid activity name: it is empty"},
		{[]turnstone.Handler{act("a\nb")}, "control character"},
		{[]turnstone.Handler{at(strings.Repeat("n", 257), "1.0.0")}, "orchestration name bytes is 257, the limit is 256"},
		{[]turnstone.Handler{act("X"), nil}, "handler 2 of 2 is nil"},
		{[]turnstone.Handler{(*turnstone.Activity[string, string])(nil)}, "handler 1 of 1 is nil"},
		{[]turnstone.Handler{act("X"), act("X"), act("")}, "duplicate activity registration: X; invalid activity name: it is empty"},
	} {
		err := turnstone.NewRegistry().Register(c.handlers...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	if err := turnstone.NewRegistry().Register(act(strings.Repeat("n", 256))); err != nil {
		t.Errorf("a name at the limit: %v", err)
	}
	defer func() {
		if p := recover(); p == nil {
			t.Error("Exact of something that is no version did not panic")
		}
	}()
	turnstone.Exact("one")
}

func TestRegistryMerges(t *testing.T) {
	a := registryOf(t, at("lib::A", "1.0.0"), act("lib::X"))
	b := registryOf(t, at("lib::A", "2.0.0"), at("own::B", "1.0.0"), act("lib::X"), act("own::Y"))
	err := a.Merge(b)
	if err == nil || err.Error() != "duplicate activity registration: lib::X" {
		t.Errorf("error %v", err)
	}
	if got := a.Orchestrations(); !reflect.DeepEqual(got, []string{"lib::A", "own::B"}) || len(a.Versions("lib::A")) != 2 {
		t.Errorf("orchestrations %v, versions %v", got, a.Versions("lib::A"))
	}
	if got := a.Activities(); !reflect.DeepEqual(got, []string{"lib::X", "own::Y"}) || len(b.Orchestrations()) != 2 {
		t.Errorf("activities %v", got)
	}
}

// A registry may grow while a node runs from it.
func TestRegistryGrowsWhileInUse(t *testing.T) {
	r := turnstone.NewRegistry()
	var group sync.WaitGroup
	for _, name := range []string{"A", "B", "C", "D"} {
		group.Add(2)
		go func() {
			defer group.Done()
			if err := r.Register(at(name, "1.0.0"), act(name)); err != nil {
				t.Error(err)
			}
		}()
		go func() {
			defer group.Done()
			for range 100 {
				registries.Orchestration(r, name, "")
				registries.Activity(r, name)
				r.Orchestrations()
			}
		}()
	}
	group.Wait()
	if len(r.Orchestrations()) != 4 || len(r.Activities()) != 4 {
		t.Errorf("%v, %v", r.Orchestrations(), r.Activities())
	}
}

func TestActivityContext(t *testing.T) {
	info := turnstone.ActivityInfo{Instance: "i/1", Incarnation: 3, Execution: 2, Event: 12, FirstEvent: 9, Orchestration: "O",
		Version: "1.0.0", Name: "A", Attempt: 2, Delivery: 1, Worker: "w"}
	parent, cancel := context.WithCancel(context.Background())
	var log strings.Builder
	c := turnstone.NewActivityContext(parent, info, slog.New(slog.NewTextHandler(&log, nil)))
	if c.Info() != info || c.IdempotencyKey() != "i/1/3/2/9" {
		t.Errorf("info %+v, key %s", c.Info(), c.IdempotencyKey())
	}
	c.Logger().Info("working")
	for _, want := range []string{"instance_id=i/1", "activity_name=A", "activity_id=12", "worker_id=w", "target=turnstone::activity"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in %s", want, log.String())
		}
	}
	cancel()
	if c.Err() == nil || turnstone.NewActivityContext(parent, info, nil).Logger() == nil {
		t.Error("it did not end with its parent")
	}
}

type reversed struct{}

func (reversed) Encode(v any) ([]byte, error) {
	data, err := turnstone.JSON.Encode(v)
	return flip(data), err
}
func (reversed) Name() string { return "reversed" }

func (reversed) Decode(data []byte, v any) error { return turnstone.JSON.Decode(flip(data), v) }

func flip(data []byte) []byte {
	out := make([]byte, len(data))
	for i, b := range data {
		out[len(data)-1-i] = b
	}
	return out
}

// Every value, details of errors too, goes through the registry's codec.
func TestCodecIsUsedEverywhere(t *testing.T) {
	bad := turnstone.NewActivity("Bad", func(turnstone.ActivityContext, string) (int, error) {
		return 0, &turnstone.Error{Kind: "K", Message: "m", Details: "detail"}
	})
	o := turnstone.NewOrchestration("O", func(ctx *turnstone.Context, in string) (string, error) {
		up, err := upper.Call(ctx, in)
		if err != nil {
			return "", err
		}
		_, failed := bad.Call(ctx, "")
		details, _ := turnstone.Details[string](failed)
		return up + details, nil
	})
	r := turnstone.NewRegistry(turnstone.WithCodec(reversed{}))
	if err := r.Register(upper, bad, o); err != nil {
		t.Fatal(err)
	}
	d := newDriver(t)
	d.registry = r
	if out := d.run("O", "i", []int{1}); out.failure == nil {
		t.Errorf("input that is not in the codec's form was taken: %s", out.output)
	}
	out := d.run("O", "i", turnstone.Raw(flip([]byte(`"x"`))))
	if string(flip(out.output)) != `"Xdetail"` {
		t.Errorf("output %s, failure %v", out.output, out.failure)
	}
}
