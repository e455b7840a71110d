package turnstone_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// lives runs an instance "i" of the orchestration "O" turn by turn, each time on a fresh machine with the handler that is
// given, and keeps what is recorded.
type lives struct {
	t        *testing.T
	segments []replay.Segment
}

func (l *lives) turn(h turnstone.Handler, messages ...*turnpb.Message) replay.Decision {
	l.t.Helper()
	_, fn, _ := registries.Orchestration(registryOf(l.t, h), "O", "")
	cfg := replay.Config{Instance: "i", Execution: 1, Name: "O", Version: "1.0.0", Func: fn}
	m := replay.New(cfg)
	defer m.Close()
	m.Load(replay.Segments(l.segments))
	in := replay.Input{TimeMs: int64(len(l.segments) + 1), Messages: messages}
	d := m.Advance(in)
	if d.Divergence == nil && d.Spoiled == nil && len(d.Events) > 0 {
		l.segments = append(l.segments, d.Segment(uint64(len(l.segments)+1), in, ""))
		if err := replay.Verify(cfg, l.segments); err != nil {
			l.t.Error(err)
		}
	}
	return d
}

func (l *lives) start(h turnstone.Handler) replay.Decision {
	l.t.Helper()
	return l.turn(h, &turnpb.Message{Kind: &turnpb.Message_Start{Start: &turnpb.StartOrchestration{Name: "O", Version: "1.0.0", Input: []byte("{}")}}})
}

// A value from elsewhere that cannot be decoded is an error for the code, the same one whenever it runs again, also if its
// type reads the value by then.
func TestWhatWasNotDecodedStaysSo(t *testing.T) {
	type number int
	texts := map[string]bool{}
	reads := func(read func(ctx *turnstone.Context) error) turnstone.Handler {
		return orchestration(func(ctx *turnstone.Context) (int, error) {
			err := read(ctx)
			var d *turnstone.DecodeError
			if !errors.As(err, &d) {
				t.Errorf("the code is given %v", err)
			}
			texts[fmt.Sprint(err)] = true
			turnstone.WaitEvent[int](ctx, "more").Await()
			return 0, nil
		})
	}
	asNumber := reads(func(ctx *turnstone.Context) error { return turnstone.WaitEvent[int](ctx, "n").Err() })
	renamed := reads(func(ctx *turnstone.Context) error { return turnstone.WaitEvent[number](ctx, "n").Err() })
	asText := reads(func(ctx *turnstone.Context) error { return turnstone.WaitEvent[string](ctx, "n").Err() })
	l := &lives{t: t}
	l.start(asNumber)
	d := l.turn(asNumber, event(raised{"n", "seven"}))
	if len(d.Undecoded) != 1 {
		t.Fatalf("recorded %v", d.Undecoded)
	}
	if u := d.Undecoded[0]; u.GetEvent() != 2 || u.GetWhat() != "event n" || u.GetType() != "int" || u.GetProblem() == "" || !strings.Contains(u.GetSite(), "decode_test.go:") {
		t.Errorf("recorded %v", u)
	}
	for _, h := range []turnstone.Handler{asNumber, renamed, asText} {
		if d := l.turn(h, event(raised{"other", 1})); d.Divergence != nil || len(d.Undecoded) > 0 {
			t.Errorf("decision %+v", d)
		}
	}
	if len(texts) != 1 {
		t.Errorf("the code is given %v", texts)
	}
}

// A value of the instance's own keys is told apart by its type and its bytes: the code reads one as two types in a turn.
func TestAKeyThatWasReadAsTwoTypes(t *testing.T) {
	h := orchestration(func(ctx *turnstone.Context) (string, error) {
		said := ""
		for _, v := range []any{"text", 1, "text"} {
			turnstone.SetKV(ctx, "k", v)
			_, _, asInt := turnstone.GetKV[int](ctx, "k")
			_, _, asText := turnstone.GetKV[string](ctx, "k")
			said += fmt.Sprint(asInt == nil, asText == nil, " ")
		}
		_, err := turnstone.WaitEvent[int](ctx, "n").Await()
		return said, err
	})
	l := &lives{t: t}
	if d := l.start(h); len(d.Undecoded) != 2 {
		t.Errorf("recorded %v", d.Undecoded)
	}
	if d := l.turn(h, event(raised{"n", 1})); string(d.Output) != `"false true true false false true "` {
		t.Errorf("decision %+v", d)
	}
}

// A value that was decoded when the code read it first, and that the code of today cannot decode, holds the instance.
func TestWhatWasDecodedAndIsNotHolds(t *testing.T) {
	act := turnstone.ActivityRef[int, string]("A")
	for name, c := range map[string]struct {
		before, after func(ctx *turnstone.Context) error
		message       *turnpb.Message
		want          string
	}{
		"an event": {
			func(ctx *turnstone.Context) error { return turnstone.WaitEvent[string](ctx, "n").Err() },
			func(ctx *turnstone.Context) error { return turnstone.WaitEvent[int](ctx, "n").Err() },
			event(raised{"n", "seven"}), "cannot decode event n, event 2, as int",
		},
		"a message": {
			func(ctx *turnstone.Context) error { return turnstone.Dequeue[string](ctx, "q").Err() },
			func(ctx *turnstone.Context) error { return turnstone.Dequeue[int](ctx, "q").Err() },
			&turnpb.Message{Kind: &turnpb.Message_QueueMessage{QueueMessage: &turnpb.QueueMessage{Name: "q", Data: []byte(`"m"`)}}},
			"cannot decode a message of queue q, event 2, as int",
		},
		"a key": {
			func(ctx *turnstone.Context) error { return key[string](ctx) },
			func(ctx *turnstone.Context) error { return key[int](ctx) },
			event(raised{"other", 1}), "cannot decode the value of key k, as int",
		},
		"a result": {
			func(ctx *turnstone.Context) error { return act.Start(ctx, 1).Err() },
			func(ctx *turnstone.Context) error { return turnstone.ActivityRef[int, int]("A").Start(ctx, 1).Err() },
			&turnpb.Message{Execution: 1, Event: 2, Kind: &turnpb.Message_ActivityResult{
				ActivityResult: &turnpb.ActivityResult{Result: []byte(`"done"`)}}},
			"cannot decode the result of activity A, event 2, as int",
		},
	} {
		t.Run(name, func(t *testing.T) {
			code := func(read func(ctx *turnstone.Context) error, told *error) turnstone.Handler {
				return orchestration(func(ctx *turnstone.Context) (string, error) {
					*told = read(ctx)
					_, err := turnstone.WaitEvent[int](ctx, "more").Await()
					return "done", err
				})
			}
			var never, told error
			l := &lives{t: t}
			before, after := code(c.before, &never), code(c.after, &told)
			l.start(before)
			l.turn(before, c.message)
			d := l.turn(after, event(raised{"more", 1}))
			if why := d.Divergence.GetConfiguration().GetMessage(); !strings.HasPrefix(why, c.want) || !strings.Contains(why, "decode_test.go:") ||
				!strings.Contains(why, `with the codec "json"`) {
				t.Errorf("divergence %q, want %q", why, c.want)
			}
			if never != nil || told != nil {
				t.Errorf("the code is given %v and %v", never, told)
			}
			if d := l.turn(before, event(raised{"more", 1})); string(d.Output) != `"done"` {
				t.Errorf("with the code of before: %+v", d)
			}
		})
	}
}

func key[T any](ctx *turnstone.Context) error {
	turnstone.SetKV[any](ctx, "k", "text")
	_, _, err := turnstone.GetKV[T](ctx, "k")
	return err
}

// An activity whose input cannot be decoded says so in the log, once for each reason.
func TestAnActivityWithAnUndecodableInputIsLoggedOnce(t *testing.T) {
	var out strings.Builder
	r := turnstone.NewRegistry(turnstone.WithLogger(slog.New(slog.NewTextHandler(&out, nil))))
	half := turnstone.NewActivity("Half", func(_ turnstone.ActivityContext, n int) (int, error) { return n / 2, nil })
	if err := r.Register(half); err != nil {
		t.Fatal(err)
	}
	run, _ := registries.Activity(r, "Half")
	lines := func(input string) int {
		out.Reset()
		if _, err := run(t.Context(), turnstone.ActivityInfo{Instance: "order-7", Event: 3, Name: "Half"}, nil, []byte(input)); err == nil {
			t.Error("it was decoded")
		}
		return strings.Count(out.String(), "\n")
	}
	if n := lines(`"x"`); n != 1 || !strings.Contains(out.String(), `activity Half cannot decode its input as int with the codec \"json\"`) ||
		!strings.Contains(out.String(), "instance_id=order-7") || !strings.Contains(out.String(), "activity_id=3") {
		t.Errorf("%d lines: %s", n, out.String())
	}
	if n := lines(`"y"`); n != 0 {
		t.Errorf("the same reason is logged again: %s", out.String())
	}
	for i := range 1000 { // what is remembered is bounded
		if n := lines(fmt.Sprintf("%d.5", i)); n != 1 {
			t.Fatalf("reason %d has %d lines", i, n)
		}
	}
	if n := lines(`"x"`); n != 1 {
		t.Errorf("the first reason is logged %d times", n)
	}
}
