package replay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// limited takes the first turn under limits, and checks that the oracle, which is given the same limits and no more
// than the segment, agrees.
func limited(t *testing.T, l replay.Limits, fn replay.Func, messages ...*turnpb.Message) replay.Decision {
	t.Helper()
	cfg := config(fn)
	cfg.Limits = l
	m := replay.New(cfg)
	defer m.Close()
	in := input(append([]*turnpb.Message{msgStart()}, messages...)...)
	d := m.Advance(in)
	d2 := d.Segment(1, in, "test")
	if err := replay.Verify(cfg, []replay.Segment{d2}); err != nil {
		t.Error(err)
	}
	again := replay.New(cfg)
	defer again.Close()
	if a, b := render(d), render(again.Advance(in)); string(a) != string(b) {
		t.Errorf("the same turn twice:\n%s\n%s", a, b)
	}
	return d
}

func wantLimit(t *testing.T, d replay.Decision, category, says string) {
	t.Helper()
	wantFailed(t, d, category, says)
	if d.Origin != turnpb.SegmentOrigin_SEGMENT_ORIGIN_LIMIT {
		t.Errorf("origin %v", d.Origin)
	}
	if category == "application" && !d.Failure.GetApplication().GetNonRetryable() {
		t.Error("the failure may be retried")
	}
}

func TestQuiescence(t *testing.T) {
	chained := func(n int) replay.Func {
		return func(c *replay.Context, _ []byte) ([]byte, error) {
			for range n {
				c.Dequeue("q").Await()
			}
			return []byte("done"), nil
		}
	}
	var full []*turnpb.Message
	for range 102 {
		full = append(full, msgQ("q", "x"))
	}
	t.Run("100 chained dequeues under a limit of 100, and 101", func(t *testing.T) {
		wantCompleted(t, limited(t, replay.Limits{Resumptions: 100, Carried: 102}, chained(100), full...), "done")
		d := limited(t, replay.Limits{Resumptions: 100, Carried: 102}, chained(101), full...)
		wantLimit(t, d, "infrastructure", "infrastructure:quiescence_loop: ")
		if d.Failure.GetInfrastructure().GetRetryable() {
			t.Error("the failure may be retried")
		}
	})
	t.Run("an endless loop of guids", func(t *testing.T) {
		wantLimit(t, limited(t, replay.Limits{}, code(func(c *replay.Context) string {
			for {
				c.NewGUID()
			}
		})), "infrastructure", "quiescence_loop")
	})
	t.Run("hundreds of guids are honest", func(t *testing.T) {
		wantCompleted(t, limited(t, replay.Limits{}, code(func(c *replay.Context) string {
			for range 900 {
				c.NewGUID()
			}
			return "done"
		})), "done")
	})
	calls := 100_000
	if testing.Short() {
		calls = 20_000
	}
	for name, loop := range map[string]func(*replay.Context){
		"Now":    func(c *replay.Context) { c.Now() },
		"Random": func(c *replay.Context) { c.Random() },
		"Go":     func(c *replay.Context) { c.Go(func(*replay.Context) (any, error) { return nil, nil }).Await() },
		"Select": func(c *replay.Context) { c.Select(c.Go(func(*replay.Context) (any, error) { return nil, nil })) },
	} {
		t.Run("an endless loop of "+name, func(t *testing.T) {
			d := limited(t, replay.Limits{Calls: calls}, code(func(c *replay.Context) string {
				for {
					loop(c)
				}
			}))
			wantLimit(t, d, "infrastructure", "quiescence_loop")
		})
	}
}

func TestPending(t *testing.T) {
	fan := func(n int) replay.Func {
		return func(c *replay.Context, _ []byte) ([]byte, error) {
			fs := make([]*replay.Future, n)
			for i := range fs {
				fs[i] = activity(c, "A", "")
			}
			c.All(fs...)
			return nil, nil
		}
	}
	t.Run("at the limit and over it", func(t *testing.T) {
		if d := limited(t, replay.Limits{}, fan(10_000)); len(d.Activities) != 10_000 {
			t.Errorf("%d activities", len(d.Activities))
		}
		d := limited(t, replay.Limits{}, fan(10_001))
		wantLimit(t, d, "application", "more than 10000 operations pending")
		wantKinds(t, d, "S")
	})
	for name, fn := range map[string]func(c *replay.Context){
		"activities": func(c *replay.Context) { activity(c, "A", "") },
		"keys":       func(c *replay.Context) { c.KVClear("k") },
		"coroutines": func(c *replay.Context) { c.Go(func(*replay.Context) (any, error) { return nil, nil }) },
		"detached":   func(c *replay.Context) { c.Detached("D", "d", nil, replay.DetachedOptions{}) },
		"dropped":    func(c *replay.Context) { activity(c, "A", "").Cancel() },
	} {
		t.Run("an endless loop of "+name+" ends", func(t *testing.T) {
			wantLimit(t, limited(t, replay.Limits{}, code(func(c *replay.Context) string {
				for {
					fn(c)
				}
			})), "application", "Config.Limits.Pending")
		})
	}
	t.Run("what history has is not checked", func(t *testing.T) {
		cfg := config(fan(20))
		m := replay.New(cfg)
		defer m.Close()
		in := input(msgStart())
		d := m.Advance(in)
		cfg.Limits.Pending = 5
		again := replay.New(cfg)
		defer again.Close()
		again.Load(replay.Segments{d.Segment(1, in, "test")})
		wantRunning(t, again.Advance(input(msgAC(2, "r"))))
	})
}

func TestSizes(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	cases := []struct {
		name   string
		limits replay.Limits
		at     int // the largest size that is allowed
		do     func(c *replay.Context, n int)
	}{
		{"tag", replay.Limits{}, 256, func(c *replay.Context, n int) {
			tag := long(n)
			c.Activity("A", nil, replay.ActivityOptions{Tag: &tag})
		}},
		{"custom status", replay.Limits{}, 262_144, func(c *replay.Context, n int) { s := long(n); c.SetStatus(&s) }},
		{"value of key", replay.Limits{}, 16_384, func(c *replay.Context, n int) { set(c, "k", long(n)) }},
		{"the key-value store has", replay.Limits{}, 100, func(c *replay.Context, n int) {
			for i := range n {
				set(c, fmt.Sprint("k", i), "v")
			}
		}},
		{"activity name", replay.Limits{NameBytes: 256}, 256, func(c *replay.Context, n int) { activity(c, long(n), "") }},
		{"event name", replay.Limits{IDBytes: 256}, 256, func(c *replay.Context, n int) { c.WaitEvent(long(n), buffered) }},
		{"the id of sub-orchestration", replay.Limits{}, 1_024, func(c *replay.Context, n int) {
			c.Child("C", nil, replay.ChildOptions{ID: long(n)})
		}},
		{"activity input", replay.Limits{PayloadBytes: 1 << 10}, 1 << 10, func(c *replay.Context, n int) { activity(c, "A", long(n)) }},
		{"sub-orchestration input", replay.Limits{PayloadBytes: 1 << 10}, 1 << 10, func(c *replay.Context, n int) { child(c, "A", long(n)) }},
	}
	for _, c := range cases {
		for _, n := range []int{c.at - 1, c.at, c.at + 1} {
			t.Run(fmt.Sprint(c.name, " of ", n), func(t *testing.T) {
				d := limited(t, c.limits, code(func(ctx *replay.Context) string { c.do(ctx, n); return "done" }))
				if n <= c.at {
					wantCompleted(t, d, "done")
					return
				}
				wantLimit(t, d, "application", c.name)
				for _, number := range []int{n, c.at} {
					if !strings.Contains(failure.Display(d.Failure), fmt.Sprint(number)) {
						t.Errorf("%q does not name %d", failure.Display(d.Failure), number)
					}
				}
			})
		}
	}
	t.Run("output", func(t *testing.T) {
		l := replay.Limits{PayloadBytes: 8}
		wantCompleted(t, limited(t, l, returns("12345678")), "12345678")
		wantLimit(t, limited(t, l, returns("123456789")), "application", "orchestration output is 9 bytes, the limit is 8 bytes")
	})
	t.Run("only the last status of a turn counts", func(t *testing.T) {
		wantCompleted(t, limited(t, replay.Limits{}, code(func(c *replay.Context) string {
			s := long(300_000)
			c.SetStatus(&s)
			c.SetStatus(nil)
			return "done"
		})), "done")
	})
	t.Run("keys of earlier turns count, and clearing makes room", func(t *testing.T) {
		m := replay.New(config(code(func(c *replay.Context) string {
			for i := range 100 {
				set(c, fmt.Sprint("a", i), "v")
			}
			c.Timer(time.Second).Await()
			c.KVClear("a0")
			set(c, "b", "v")
			c.Timer(time.Second).Await()
			set(c, "c", "v")
			c.Timer(time.Second).Await()
			return ""
		})))
		defer m.Close()
		d := m.Advance(input(msgStart()))
		wantRunning(t, d)
		d = m.Advance(input(msgTF(d.Timers[0].Event)))
		wantRunning(t, d)
		wantLimit(t, m.Advance(input(msgTF(d.Timers[0].Event))), "application", "has 101 keys, the limit is 100 keys")
	})
	t.Run("text that is not UTF-8 panics in the code", func(t *testing.T) {
		wantFailed(t, limited(t, replay.Limits{}, code(func(c *replay.Context) string { activity(c, "a\xff", ""); return "" })),
			"application", "orchestration panicked: activity name \"a\\xff\" is not valid UTF-8")
	})
}
