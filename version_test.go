package turnstone_test

import (
	"errors"
	"math"
	"testing"

	"github.com/turnstone-dev/turnstone"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// notVersions are texts that are no strict semantic version.
var notVersions = []string{"", "1", "1.0", "x", "v1.0.0", "1.0.0.0", "01.0.0", " 1.0.0", "1.0.0 ", "latest", "1.0.0-\u00e9"}

func TestF35_a_handler_of_version_0_0_0_is_a_version_like_any_other(t *testing.T) {
	r := registryOf(t, at("A", "0.0.0"), at("A", "1.0.0"))
	for wanted, want := range map[string]string{"0.0.0": "0.0.0", "1.0.0": "1.0.0", "": "1.0.0"} {
		if got, _, ok := registries.Orchestration(r, "A", wanted); !ok || got != want {
			t.Errorf("%q resolves to %q, %v; want %q", wanted, got, ok, want)
		}
	}
	r.SetVersionPolicy("A", turnstone.Exact("0.0.0"))
	if got, _, _ := registries.Orchestration(r, "A", ""); got != "0.0.0" {
		t.Errorf("the policy 0.0.0 resolves to %q", got)
	}
	d := newDriver(t, at("A", "0.0.0"), at("A", "1.0.0"), orchestration(func(ctx *turnstone.Context) ([]string, error) {
		old, err := ctx.CallChild("A", []byte("1"), turnstone.WithVersion("0.0.0"))
		if err != nil {
			return nil, err
		}
		latest, err := ctx.CallChild("A", []byte("1"))
		return []string{string(old), string(latest)}, err
	}))
	d.run("O", "i", struct{}{}).completes(t, []string{`"0.0.0"`, `"1.0.0"`})
}

func TestF36_what_is_no_version_is_refused_at_once(t *testing.T) {
	refused := func(t *testing.T, where, text string, err error) {
		t.Helper()
		var v *turnstone.VersionError
		if !errors.As(err, &v) || v.Text != text || !errors.Is(err, turnstone.ErrInvalidInput) {
			t.Errorf("%s with the version %q: %v", where, text, err)
		}
	}
	for _, text := range notVersions {
		refused(t, "CheckVersion", text, author.CheckVersion(text))
		refused(t, "registration", text, turnstone.NewRegistry().Register(at("A", text)))
		d := newDriver(t, at("A", "1.0.0"), orchestration(func(ctx *turnstone.Context) (int, error) {
			_, err := ctx.CallChild("A", []byte("1"), turnstone.WithVersion(text))
			refused(t, "a child", text, err)
			again := ctx.StartChild("A", []byte("1"), turnstone.WithVersion(text), turnstone.WithRetry(turnstone.RetryPolicy{}))
			refused(t, "a child with a retry policy", text, again.Err())
			refused(t, "continue as new", text, turnstone.ContinueAsNew(ctx, 1, turnstone.WithVersion(text)))
			return 0, err
		}))
		out := d.run("O", "i", struct{}{})
		if out.failure == nil || out.failure.Retryable || len(out.history) != 2 {
			t.Errorf("%q: failure %+v, history %v; want one that is not retryable, and nothing asked for", text, out.failure, out.history)
		}
		d = newDriver(t, orchestration(func(ctx *turnstone.Context) (int, error) {
			ctx.StartDetached("A", "d", nil, turnstone.WithVersion(text))
			return 0, nil
		}))
		if out := d.run("O", "i", struct{}{}); !errors.Is(out.failure, turnstone.ErrPanicked) || len(d.detached) != 0 {
			t.Errorf("a detached start with %q: %v", text, out.failure)
		}
	}
	if err := author.CheckVersion("0.0.0"); err != nil {
		t.Error(err)
	}
}

// On a goroutine of the author's what is no version is misuse like every other call, and ends no process.
func TestF36_a_start_on_a_foreign_goroutine_is_misuse(t *testing.T) {
	bad := turnstone.WithVersion("x")
	odd := turnstone.NewActivity("Odd", func(turnstone.ActivityContext, float64) (int, error) { return 0, nil })
	for name, call := range map[string]func(ctx *turnstone.Context){
		"detached":        func(ctx *turnstone.Context) { ctx.StartDetached("A", "d", nil, bad) },
		"child":           func(ctx *turnstone.Context) { ctx.StartChild("A", nil, bad) },
		"continue as new": func(ctx *turnstone.Context) { _ = ctx.ContinueAsNew(nil, bad) },
		"encoding":        func(ctx *turnstone.Context) { odd.Start(ctx, math.NaN()) },
	} {
		d := newDriver(t, orchestration(func(ctx *turnstone.Context) (int, error) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				call(ctx)
				t.Errorf("%s returned", name)
			}()
			<-done
			return 0, nil
		}))
		if out := d.run("O", "i", struct{}{}); !errors.Is(out.spoiled, replay.ErrMisuse) {
			t.Errorf("%s: spoiled %v", name, out.spoiled)
		}
	}
}

func TestF35_an_empty_child_id_is_refused(t *testing.T) {
	d := newDriver(t, at("A", "1.0.0"), orchestration(func(ctx *turnstone.Context) (string, error) {
		_, err := ctx.CallChild("A", []byte("1"), turnstone.WithChildID(""))
		return "", err
	}))
	out := d.run("O", "i", struct{}{})
	f := out.fails(t, "start of orchestration A: invalid input: the child's id is empty; leave WithChildID out for an id made from the parent's")
	if f.Retryable || len(out.history) != 2 {
		t.Errorf("failure %+v, history %v", f, out.history)
	}
}

func TestF34_a_handle_with_a_version_starts_that_version(t *testing.T) {
	run := func(version string) func(*turnstone.Context, int) (string, error) {
		return func(ctx *turnstone.Context, _ int) (string, error) { return version, nil }
	}
	none := turnstone.NewOrchestration("A", run("1.0.0"))
	v1 := turnstone.NewOrchestration("A", run("1.0.0"), turnstone.WithVersion("1.0.0"))
	v2 := turnstone.NewOrchestration("A", run("2.0.0"), turnstone.WithVersion("2.0.0"))
	if _, ok := author.Pinned(none); ok || none.Version() != "1.0.0" {
		t.Errorf("a handle without a version is pinned, or registered as %s", none.Version())
	}
	if v, ok := author.Pinned(v1); !ok || v != "1.0.0" {
		t.Errorf("pinned to %q, %v", v, ok)
	}
	d := newDriver(t, v1, v2, orchestration(func(ctx *turnstone.Context) ([]string, error) {
		var all []string
		for _, start := range []func() (string, error){
			func() (string, error) { return v1.Call(ctx, 1) },
			func() (string, error) { return v2.Call(ctx, 1) },
			func() (string, error) { return none.Call(ctx, 1) },
			func() (string, error) { return v2.Call(ctx, 1, turnstone.WithVersion("1.0.0")) },
		} {
			v, err := start()
			if err != nil {
				return nil, err
			}
			all = append(all, v)
		}
		v1.StartDetached(ctx, "d1", 1)
		none.StartDetached(ctx, "d2", 1)
		return all, nil
	}))
	out := d.run("O", "i", struct{}{})
	out.completes(t, []string{"1.0.0", "2.0.0", "2.0.0", "1.0.0"})
	if len(d.detached) != 2 || d.detached[0].Version != "1.0.0" || d.detached[1].Version != "" {
		t.Errorf("detached %+v", d.detached)
	}
	if n := count(out.history, func(e *turnpb.Event) bool { return e.GetSubOrchestrationScheduled() != nil }); n != 4 {
		t.Errorf("%d children", n)
	}
}
