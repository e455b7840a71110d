package turnstone_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// TestF33_call_sites_are_the_authors_lines: for everything that leaves a schedule event, whatever the library puts
// between, and for each attempt of a policy.
func TestF33_call_sites_are_the_authors_lines(t *testing.T) {
	twice := turnstone.WithRetry(turnstone.NewRetryPolicy(2).WithBackoff(turnstone.FixedBackoff(time.Second)).WithRaceTimeout(time.Hour))
	sub := turnstone.NewOrchestration("Sub", func(*turnstone.Context, string) (string, error) { return "", nil })
	helpers := map[string]struct {
		sites int // at least
		run   func(ctx *turnstone.Context)
	}{
		"Call":            {1, func(ctx *turnstone.Context) { _, _ = upper.Call(ctx, "x") }},
		"Start":           {1, func(ctx *turnstone.Context) { upper.Start(ctx, "x") }},
		"CallActivity":    {1, func(ctx *turnstone.Context) { _, _ = ctx.CallActivity("Upper", nil) }},
		"StartActivity":   {1, func(ctx *turnstone.Context) { ctx.StartActivity("Upper", nil) }},
		"Call WithRetry":  {5, func(ctx *turnstone.Context) { _, _ = boom.Call(ctx, "x", twice) }},
		"Start WithRetry": {5, func(ctx *turnstone.Context) { _ = boom.Start(ctx, "x", twice).Err() }},
		"retry in Go": {5, func(ctx *turnstone.Context) {
			_ = ctx.Go(func(ctx *turnstone.Context) error { return boom.Start(ctx, "", twice).Err() }).Err()
		}},
		"child Start": {1, func(ctx *turnstone.Context) { sub.Start(ctx, "x") }},
		"child WithRetry": {2, func(ctx *turnstone.Context) {
			ctx.Go(func(ctx *turnstone.Context) error { return sub.Start(ctx, "x", twice).Err() })
			ctx.Sleep(0)
		}},
		"StartChild":        {1, func(ctx *turnstone.Context) { ctx.StartChild("Sub", nil) }},
		"StartDetached":     {1, func(ctx *turnstone.Context) { sub.StartDetached(ctx, "d", "x") }},
		"ctx.StartDetached": {1, func(ctx *turnstone.Context) { ctx.StartDetached("Sub", "d", nil) }},
		"WaitEvent":         {1, func(ctx *turnstone.Context) { turnstone.WaitEvent[string](ctx, "e") }},
		"ctx.WaitEvent":     {1, func(ctx *turnstone.Context) { ctx.WaitEvent("e") }},
		"AwaitInstance":     {1, func(ctx *turnstone.Context) { turnstone.AwaitInstance[string](ctx, "x") }},
		"ctx.AwaitInstance": {1, func(ctx *turnstone.Context) { ctx.AwaitInstance("x") }},
		"Timer":             {1, func(ctx *turnstone.Context) { ctx.Timer(time.Second) }},
		"Sleep":             {1, func(ctx *turnstone.Context) { ctx.Sleep(time.Second) }},
		"NewGUID":           {1, func(ctx *turnstone.Context) { ctx.NewGUID() }},
		"UTCNow":            {1, func(ctx *turnstone.Context) { ctx.UTCNow() }},
		"All":               {1, func(ctx *turnstone.Context) { _ = turnstone.All(ctx, ctx.Timer(1)) }},
		"Race":              {2, func(ctx *turnstone.Context) { turnstone.Race(ctx, upper.Start(ctx, "x"), ctx.Timer(1)) }},
		"Go": {1, func(ctx *turnstone.Context) {
			_, _ = turnstone.Go(ctx, func(ctx *turnstone.Context) (int, error) { ctx.Sleep(1); return 1, nil }).Await()
		}},
		"Scope": {1, func(ctx *turnstone.Context) {
			_ = ctx.Scope(func(ctx *turnstone.Context) error { ctx.Timer(1); return nil })
		}},
		"Map": {1, func(ctx *turnstone.Context) {
			f := turnstone.Map(ctx.Timer(1), func(struct{}) (string, error) { ctx.Sleep(1); return "", nil })
			_, _ = f.Await()
		}},
	}
	for name, h := range helpers {
		t.Run(name, func(t *testing.T) {
			d := newDriver(t, upper, boom, sub, orchestration(func(ctx *turnstone.Context) (string, error) {
				h.run(ctx)
				return "", nil
			}))
			out := d.run("O", "i", struct{}{})
			if len(out.sites) < h.sites {
				t.Errorf("%d call sites, want at least %d", len(out.sites), h.sites)
			}
			for _, s := range out.sites {
				if !strings.HasPrefix(s.GetText(), "turnstone_test.TestF33") || !strings.Contains(s.GetText(), "(site_test.go:") {
					t.Errorf("event %d was asked for at %q", s.GetEvent(), s.GetText())
				}
			}
		})
	}
}

// TestF30_a_misuse_without_code_of_the_authors_on_the_stack_has_a_line: of the go statement that calls the library itself,
// or of the future, if the standard library started the goroutine.
func TestF30_a_misuse_without_code_of_the_authors_on_the_stack_has_a_line(t *testing.T) {
	for name, wrong := range map[string]func(ctx *turnstone.Context, f *turnstone.Future[string]){
		"go Call":      func(ctx *turnstone.Context, _ *turnstone.Future[string]) { go upper.Call(ctx, "x") },
		"go Sleep":     func(ctx *turnstone.Context, _ *turnstone.Future[string]) { go ctx.Sleep(time.Second) },
		"go Await":     func(_ *turnstone.Context, f *turnstone.Future[string]) { go f.Await() },
		"go Err":       func(_ *turnstone.Context, f *turnstone.Future[string]) { go f.Err() },
		"go Cancel":    func(_ *turnstone.Context, f *turnstone.Future[string]) { go f.Cancel() },
		"go All":       func(ctx *turnstone.Context, f *turnstone.Future[string]) { go turnstone.All(ctx, f) },
		"go WaitEvent": func(ctx *turnstone.Context, _ *turnstone.Future[string]) { go ctx.WaitEvent("e") },
		"AfterFunc":    func(_ *turnstone.Context, f *turnstone.Future[string]) { time.AfterFunc(0, f.Cancel) },
		"a wait group": func(_ *turnstone.Context, f *turnstone.Future[string]) {
			var all sync.WaitGroup
			all.Go(f.Cancel)
		},
		"the end of a context": func(_ *turnstone.Context, f *turnstone.Future[string]) {
			outside, end := context.WithCancel(context.Background())
			context.AfterFunc(outside, f.Cancel)
			end()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := turnstone.NewRegistry()
			if err := r.Register(upper, orchestration(func(ctx *turnstone.Context) (string, error) {
				f := upper.Start(ctx, "x")
				wrong(ctx, f)
				return f.Await()
			})); err != nil {
				t.Fatal(err)
			}
			_, run, _ := registries.Orchestration(r, "O", "")
			m := replay.New(replay.Config{Instance: "i", Execution: 1, Name: "O", Version: "1.0.0", Func: run})
			defer m.Close()
			m.Advance(replay.Input{Messages: []*turnpb.Message{{Kind: &turnpb.Message_Start{
				Start: &turnpb.StartOrchestration{Name: "O", Version: "1.0.0", Input: []byte("{}")}}}}})
			for m.Spoiled() == nil { // the goroutine comes whenever it comes
				runtime.Gosched()
			}
			var misuse *replay.MisuseError
			if !errors.As(m.Spoiled(), &misuse) {
				t.Fatal(m.Spoiled())
			}
			if !strings.Contains(misuse.Site, "turnstone_test.TestF30_") || !strings.Contains(misuse.Site, "(site_test.go:") {
				t.Errorf("site %q", misuse.Site)
			}
			if !strings.Contains(misuse.Stack, "created by ") {
				t.Errorf("stack %q", misuse.Stack)
			}
		})
	}
}
