package turnstone_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

var (
	upper = turnstone.NewActivity("Upper", func(_ turnstone.ActivityContext, s string) (string, error) {
		return strings.ToUpper(s), nil
	})
	boom = turnstone.NewActivity("Boom", func(_ turnstone.ActivityContext, s string) (string, error) {
		return "", errors.New("boom " + s)
	})
)

// orchestration is a handler without input, under the name O.
func orchestration[O any](run func(ctx *turnstone.Context) (O, error)) turnstone.Handler {
	return turnstone.NewOrchestration("O", func(ctx *turnstone.Context, _ struct{}) (O, error) { return run(ctx) })
}

func TestTypedActivity(t *testing.T) {
	both(t, func(t *testing.T, cold bool) {
		d := newDriver(t, upper, boom, orchestration(func(ctx *turnstone.Context) ([]string, error) {
			a, err := upper.Call(ctx, "a")
			if err != nil {
				return nil, err
			}
			f := upper.Start(ctx, "b")
			raw, err := ctx.CallActivity("Upper", []byte(`"c"`))
			if err != nil {
				return nil, err
			}
			b, err := f.Await()
			_, failed := boom.Call(ctx, "x")
			return []string{a, b, string(raw), failed.Error()}, err
		}))
		d.cold = cold
		d.run("O", "i", struct{}{}).completes(t, []string{"A", "B", `"C"`, "boom x"})
	})
}

type decline struct{ Code int }

// An author's error keeps its kind and details from an activity through a child to the client that waits for the root.
func TestErrorSurvivesTheWire(t *testing.T) {
	charge := turnstone.NewActivity("Charge", func(_ turnstone.ActivityContext, code int) (int, error) {
		return 0, fmt.Errorf("charging: %w", &turnstone.Error{
			Kind: "Declined", Message: "card declined", Details: decline{code}, NonRetryable: true,
		})
	})
	child := turnstone.NewOrchestration("Child", func(ctx *turnstone.Context, code int) (int, error) {
		return charge.Call(ctx, code)
	})
	var seen error
	o := orchestration(func(ctx *turnstone.Context) (int, error) {
		_, seen = child.Call(ctx, 7)
		return 0, fmt.Errorf("order: %w", seen)
	})
	both(t, func(t *testing.T, cold bool) {
		d := newDriver(t, charge, child, o)
		d.cold = cold
		last := d.run("O", "i", struct{}{}).fails(t, "order: charging: card declined")
		for where, err := range map[string]error{"orchestration": seen, "client": last} {
			var e *turnstone.Error
			if !errors.As(err, &e) || e.Kind != "Declined" || !e.NonRetryable {
				t.Errorf("%s: %#v", where, e)
			}
			if details, ok := turnstone.Details[decline](err); !ok || details.Code != 7 {
				t.Errorf("%s: details %v, %v", where, details, ok)
			}
			if details, ok := turnstone.Details[[]int](err); ok || details != nil {
				t.Errorf("%s: details as another type: %v, %v", where, details, ok)
			}
		}
		if last.Category != turnstone.CategoryApplication || last.Kind != turnstone.KindOrchestrationFailed || last.Retryable {
			t.Errorf("failure %+v", last)
		}
	})
}

func TestPlainErrorIsOfKindError(t *testing.T) {
	d := newDriver(t, boom, orchestration(func(ctx *turnstone.Context) (string, error) { return boom.Call(ctx, "y") }))
	err := d.run("O", "i", struct{}{}).fails(t, "boom y")
	var e *turnstone.Error
	if !errors.As(err, &e) || e.Kind != turnstone.KindError || e.Message != "boom y" || e.NonRetryable || !err.Retryable {
		t.Errorf("%#v", e)
	}
	if details, ok := turnstone.Details[string](e); ok {
		t.Errorf("details that are not there: %q", details)
	}
	if details, ok := turnstone.Details[any](errors.New("plain")); ok {
		t.Errorf("details of another error: %v", details)
	}
	own := &turnstone.Error{Details: 7}
	if details, ok := turnstone.Details[int](own); !ok || details != 7 {
		t.Errorf("details that were not sent: %v, %v", details, ok)
	}
	if details, ok := turnstone.Details[string](own); ok {
		t.Errorf("details that were not sent as another type: %q", details)
	}
}

func TestPanics(t *testing.T) {
	t.Run("orchestration", func(t *testing.T) {
		d := newDriver(t, orchestration(func(*turnstone.Context) (int, error) { panic("lost") }))
		if err := d.run("O", "i", struct{}{}).fails(t, "orchestration panicked: lost"); !errors.Is(err, turnstone.ErrPanicked) {
			t.Errorf("not ErrPanicked: %+v", err)
		}
	})
	t.Run("activity", func(t *testing.T) {
		bad := turnstone.NewActivity("Bad", func(turnstone.ActivityContext, int) (int, error) { panic("dropped it") })
		d := newDriver(t, bad, orchestration(func(ctx *turnstone.Context) (int, error) { return bad.Call(ctx, 1) }))
		d.run("O", "i", struct{}{}).fails(t, "activity Bad panicked: dropped it")
	})
	t.Run("encoding", func(t *testing.T) {
		odd := turnstone.NewActivity("Odd", func(turnstone.ActivityContext, float64) (int, error) { return 0, nil })
		d := newDriver(t, odd, orchestration(func(ctx *turnstone.Context) (int, error) { return odd.Call(ctx, math.NaN()) }))
		err := d.run("O", "i", struct{}{}).failure
		if err == nil || err.Kind != turnstone.KindPanicked || !strings.Contains(err.Message, "cannot encode the input of activity Odd") {
			t.Errorf("failure %v", err)
		}
	})
}

// E2E-078 and E2E-079 on the core: what cannot be decoded is an error that code can handle.
func TestDecodeErrors(t *testing.T) {
	d := newDriver(t, upper, orchestration(func(ctx *turnstone.Context) (string, error) {
		if _, err := ctx.CallActivity("Upper", []byte(`{`)); err == nil || !strings.Contains(err.Error(), "cannot decode the input of activity Upper") {
			return fmt.Sprint("activity: ", err), nil
		}
		_, err := turnstone.WaitEvent[int](ctx, "n").Await()
		var decode *turnstone.DecodeError
		if !errors.As(err, &decode) || decode.What != "event n" {
			return fmt.Sprint("event: ", err), nil
		}
		return "ok", nil
	}))
	d.events = []raised{{"n", "not a number"}}
	d.run("O", "i", struct{}{}).completes(t, "ok")
	if f := d.run("O", "i", 5).failure; f == nil || !strings.HasPrefix(f.Error(), "cannot decode the input of orchestration O") {
		t.Errorf("input: %v", f)
	}
}

func TestEvents(t *testing.T) {
	both(t, func(t *testing.T, cold bool) {
		wait := func(options ...turnstone.WaitOption) turnstone.Handler {
			return orchestration(func(ctx *turnstone.Context) (string, error) {
				ctx.Sleep(time.Second)
				f := turnstone.WaitEvent[string](ctx, "go", options...)
				if turnstone.Race(ctx, f, ctx.Timer(time.Minute)) == 1 {
					return "late", nil
				}
				return f.Await()
			})
		}
		d := newDriver(t, wait())
		d.cold, d.early = cold, []raised{{"go", "kept"}}
		d.run("O", "i", struct{}{}).completes(t, "kept")
		d = newDriver(t, wait(turnstone.Positional))
		d.cold, d.early = cold, []raised{{"go", "lost"}}
		d.run("O", "i", struct{}{}).completes(t, "late")
		d = newDriver(t, orchestration(func(ctx *turnstone.Context) (string, error) {
			raw, err := ctx.WaitEvent("go").Await()
			return string(raw), err
		}))
		d.cold, d.events = cold, []raised{{"go", turnstone.Raw("\x00raw")}}
		d.run("O", "i", struct{}{}).completes(t, "\x00raw")
	})
}

func TestContinueAsNew(t *testing.T) {
	loop := turnstone.NewOrchestration("Loop", func(ctx *turnstone.Context, n int) (string, error) {
		if n < 3 {
			err := turnstone.ContinueAsNew(ctx, n+1)
			if !errors.Is(err, turnstone.ErrContinued) {
				panic(err)
			}
			return "", err
		}
		return fmt.Sprintf("final:%d in %d", n, ctx.Execution()), nil
	})
	v2 := turnstone.NewOrchestration("Up", func(_ *turnstone.Context, s string) (string, error) { return "2:" + s, nil },
		turnstone.WithVersion("2.0.0"))
	v1 := turnstone.NewOrchestration("Up", func(ctx *turnstone.Context, s string) (string, error) {
		if s == "again" {
			return "", turnstone.ContinueAsNew(ctx, "x", turnstone.WithVersion("1.0.0"))
		}
		return "1:" + s, nil
	})
	d := newDriver(t, loop, v1, v2)
	out := d.run("Loop", "i", 0)
	out.completes(t, "final:3 in 4")
	d.run("Up", "i", "a").completes(t, "2:a")
	d.registry.SetVersionPolicy("Up", turnstone.Exact("1.0.0"))
	d.run("Up", "i", "again").completes(t, "1:x")
}

func TestChildren(t *testing.T) {
	child := turnstone.NewOrchestration("Child", func(ctx *turnstone.Context, s string) (string, error) {
		if s == "fail" {
			return "", errors.New("child failed")
		}
		return upper.Call(ctx, s+"@"+ctx.Instance())
	})
	d := newDriver(t, upper, child, orchestration(func(ctx *turnstone.Context) ([]string, error) {
		auto, err := child.Call(ctx, "a")
		if err != nil {
			return nil, err
		}
		own := child.Start(ctx, "b", turnstone.WithChildID("mine"), turnstone.WithChildPolicy(turnstone.AbandonChild))
		raw, err := ctx.CallChild("Child", []byte(`"c"`), turnstone.WithChildID("raw"))
		if err != nil {
			return nil, err
		}
		_, failed := child.Call(ctx, "fail", turnstone.WithRetry(turnstone.NewRetryPolicy(2)))
		child.StartDetached(ctx, "free", "d", turnstone.WithVersion("1.0.0"))
		b, err := own.Await()
		return []string{auto, b, string(raw), failed.Error()}, err
	}))
	out := d.run("O", "i", struct{}{})
	out.completes(t, []string{"A@I::SUB::2", "B@MINE", `"C@RAW"`, "child failed"})
	if d.children != 5 {
		t.Errorf("%d children were started, want 5: the failing one twice", d.children)
	}
	if len(d.detached) != 1 || d.detached[0].Instance != "free" || string(d.detached[0].Input) != `"d"` || d.detached[0].Version != "1.0.0" {
		t.Errorf("detached %+v", d.detached)
	}
	for _, e := range out.history {
		if s := e.GetSubOrchestrationScheduled(); s != nil && s.GetInstance() == "mine" && s.GetPolicy() != turnpb.ChildPolicy_CHILD_POLICY_ABANDON {
			t.Errorf("policy %v", s.GetPolicy())
		}
	}
}

// TestF39_a_choice_that_there_is_not_is_refused: by name, where it is made, and nothing is recorded of it.
func TestF39_a_choice_that_there_is_not_is_refused(t *testing.T) {
	child := turnstone.NewOrchestration("Child", func(*turnstone.Context, string) (string, error) { return "", nil })
	var none turnstone.WaitOption
	d := newDriver(t, child, orchestration(func(ctx *turnstone.Context) ([]string, error) {
		_, policy := child.Call(ctx, "a", turnstone.WithChildPolicy(turnstone.WaitForChild+1))
		_, raw := ctx.CallChild("Child", []byte(`"a"`), turnstone.WithChildPolicy(9))
		_, wait := turnstone.WaitEvent[string](ctx, "go", turnstone.Positional, 7).Await()
		_, rawWait := ctx.WaitEvent("go", 2).Await()
		var texts []string
		for _, err := range []error{policy, raw, wait, rawWait} {
			if !errors.Is(err, turnstone.ErrInvalidInput) {
				return nil, fmt.Errorf("not refused: %w", err)
			}
			texts = append(texts, err.Error())
		}
		zero, err := turnstone.WaitEvent[string](ctx, "go", none).Await()
		return append(texts, zero), err
	}))
	d.events = []raised{{"go", "buffered"}}
	out := d.run("O", "i", struct{}{})
	out.completes(t, []string{
		"start of orchestration Child: invalid input: there is no ChildPolicy(3); name CancelChild, AbandonChild or WaitForChild",
		"start of orchestration Child: invalid input: there is no ChildPolicy(9); name CancelChild, AbandonChild or WaitForChild",
		"wait for event go: invalid input: there is no WaitOption(7); name Positional, or none",
		"wait for event go: invalid input: there is no WaitOption(2); name Positional, or none",
		"buffered",
	})
	if d.children != 0 {
		t.Errorf("%d children were started", d.children)
	}
}

func TestIdentityAndTime(t *testing.T) {
	d := newDriver(t, turnstone.NewOrchestration("Who", func(ctx *turnstone.Context, _ int) ([]any, error) {
		before := ctx.Now()
		guid, at := ctx.NewGUID(), ctx.UTCNow()
		same := at.Equal(ctx.Now()) && before.Equal(at)
		a, b := ctx.Random(), ctx.Random()
		other := ctx.NewGUID() != guid && a != b
		return []any{ctx.Instance(), ctx.Execution(), ctx.Name(), ctx.Version(), len(guid), same, other}, nil
	}, turnstone.WithVersion("2.1.0")))
	d.run("Who", "me", 0).completes(t, []any{"me", 1, "Who", "2.1.0", 36, true, true})
}

func TestLoggerIsSilentWhileReplaying(t *testing.T) {
	var log bytes.Buffer
	r := turnstone.NewRegistry(turnstone.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	d := newDriver(t)
	d.registry, d.cold = r, true
	if err := r.Register(upper, orchestration(func(ctx *turnstone.Context) (string, error) {
		ctx.Logger().Info("first", "n", 1)
		if _, err := upper.Call(ctx, "x"); err != nil {
			return "", err
		}
		ctx.Logger().WithGroup("g").With("k", "v").Info("second")
		return upper.Call(ctx, "y")
	})); err != nil {
		t.Fatal(err)
	}
	d.run("O", "who", struct{}{}).completes(t, "Y")
	for _, line := range []string{"msg=first", "msg=second", "instance_id=who", "execution_id=1", "orchestration_name=O",
		"orchestration_version=1.0.0", "target=turnstone::orchestration"} {
		want := 1
		if strings.Contains(line, "_") || strings.Contains(line, "target") {
			want = 2
		}
		if n := strings.Count(log.String(), line); n != want {
			t.Errorf("%q is in the log %d times, want %d:\n%s", line, n, want, log.String())
		}
	}
}

// A goroutine that the author started must not use the context: the machine is spoiled and says why.
func TestMisuseFromAForeignGoroutine(t *testing.T) {
	d := newDriver(t, upper, orchestration(func(ctx *turnstone.Context) (string, error) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = upper.Call(ctx, "stolen")
		}()
		<-done
		return upper.Call(ctx, "mine")
	}))
	out := d.run("O", "i", struct{}{})
	if !errors.Is(out.spoiled, replay.ErrMisuse) {
		t.Fatalf("spoiled %v, output %s, failure %v", out.spoiled, out.output, out.failure)
	}
}

// TestF30_every_method_of_a_context_or_a_future_is_checked calls them all, with arguments that are zero, from a
// goroutine of the author's.
func TestF30_every_method_of_a_context_or_a_future_is_checked(t *testing.T) {
	resolved := func(ctx *turnstone.Context) any {
		f := upper.Start(ctx, "x")
		_, _ = f.Await()
		return f
	}
	for _, pick := range []func(ctx *turnstone.Context) any{
		func(ctx *turnstone.Context) any { return ctx },
		func(ctx *turnstone.Context) any { return upper.Start(ctx, "x") },
		resolved,
	} {
		for i := 0; ; i++ {
			more, name := false, ""
			d := newDriver(t, upper, orchestration(func(ctx *turnstone.Context) (string, error) {
				v := reflect.ValueOf(pick(ctx))
				if more = i < v.NumMethod(); !more {
					return "", nil
				}
				name = fmt.Sprint(v.Type(), " ", v.Type().Method(i).Name)
				done := make(chan struct{})
				go func() {
					defer close(done)
					callWithZeros(v.Method(i))
					t.Errorf("%s returned", name)
				}()
				<-done
				return "", nil
			}))
			out := d.run("O", "i", struct{}{})
			if !more {
				break
			}
			if !errors.Is(out.spoiled, replay.ErrMisuse) {
				t.Errorf("%s: spoiled %v", name, out.spoiled)
			}
		}
	}
}

func callWithZeros(f reflect.Value) {
	args := make([]reflect.Value, f.Type().NumIn())
	for j := range args {
		args[j] = reflect.Zero(f.Type().In(j))
	}
	if f.Type().IsVariadic() {
		f.CallSlice(args)
		return
	}
	f.Call(args)
}
