package replay_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/query"
	"github.com/turnstone-dev/turnstone/replay"
)

// asked is code that takes events of the name x for ever, and answers the query of the name q with answer.
func asked(answer func(c *replay.Context, taken []string, next *replay.Future) ([]byte, error)) replay.Func {
	return func(c *replay.Context, _ []byte) ([]byte, error) {
		var taken []string
		var next *replay.Future
		c.HandleQuery("q", func([]byte) ([]byte, error) { return answer(c, taken, next) })
		c.HandleQuery("taken", func(input []byte) ([]byte, error) {
			return []byte(string(input) + strings.Join(taken, ",")), nil
		})
		c.KVSet("key", []byte("value"))
		for {
			next = c.WaitEvent("x", 0)
			data, err := text(next)
			if err != nil {
				return nil, err
			}
			taken = append(taken, data)
		}
	}
}

// taken answers what the code has taken.
func taken(_ *replay.Context, taken []string, _ *replay.Future) ([]byte, error) {
	return []byte(strings.Join(taken, ",")), nil
}

// live is a machine whose code has taken two events, and the segments of its turns.
func live(t *testing.T, fn replay.Func) (*replay.Machine, []replay.Segment) {
	t.Helper()
	m := replay.New(config(fn))
	t.Cleanup(m.Close)
	var history []replay.Segment
	for i, in := range []replay.Input{input(msgStart()), input(msgXE("x", "a")), input(msgXE("x", "b"))} {
		d := m.Advance(in)
		history = append(history, d.Segment(uint64(i+1), in, "test"))
	}
	return m, history
}

// replayedOf is a machine that has the same history, replayed and without a turn.
func replayedOf(t *testing.T, fn replay.Func, history []replay.Segment) *replay.Machine {
	t.Helper()
	m := replay.New(config(fn))
	t.Cleanup(m.Close)
	m.Load(replay.Segments(history))
	m.Replay()
	return m
}

func wantAnswer(t *testing.T, a replay.Answer, want string) {
	t.Helper()
	if a.Refusal != nil || a.Failure != nil || string(a.Output) != want {
		t.Errorf("answer %q, refusal %v, failure %v, want %q", a.Output, a.Refusal, a.Failure, want)
	}
}

func wantRefusal(t *testing.T, a replay.Answer, reason query.Reason, drops bool, parts ...string) {
	t.Helper()
	if a.Refusal == nil || a.Refusal.Reason != reason || a.Refusal.Drops() != drops || a.Output != nil || a.Failure != nil {
		t.Fatalf("answer %q, failure %v, refusal %+v, want the reason %d", a.Output, a.Failure, a.Refusal, reason)
	}
	for _, part := range parts {
		if !strings.Contains(a.Refusal.Text, part) {
			t.Errorf("the refusal %q does not say %q", a.Refusal.Text, part)
		}
	}
}

func TestQuery(t *testing.T) {
	t.Run("reads variables, of a machine that has run and of one that was replayed", func(t *testing.T) {
		m, history := live(t, asked(taken))
		wantAnswer(t, m.Query("q", nil), "a,b")
		wantAnswer(t, m.Query("taken", []byte("so far ")), "so far a,b")
		again := replayedOf(t, asked(taken), history)
		wantAnswer(t, again.Query("q", nil), "a,b")
		again.Advance(input(msgXE("x", "c")))
		wantAnswer(t, again.Query("q", nil), "a,b,c")
	})
	t.Run("reads through the context and futures", func(t *testing.T) {
		m, _ := live(t, asked(func(c *replay.Context, _ []string, next *replay.Future) ([]byte, error) {
			v, _ := c.KVGet("key")
			return fmt.Appendf(nil, "%s %d %s %s %t %t %d %v %d %v", c.Instance(), c.Execution(), c.Name(), v, next.Ready(), c.Replaying(),
				c.KVLen(), c.KVKeys(), next.Event(), c.Now().IsZero()), nil
		}))
		wantAnswer(t, m.Query("q", nil), "inst 1 Test value false false 1 [key] 7 false")
	})
	t.Run("of a name without a handler", func(t *testing.T) {
		m, _ := live(t, asked(taken))
		a := m.Query("total", nil)
		wantRefusal(t, a, query.Unknown, false, `"total"`, "q, taken")
		if !slices.Equal(a.Refusal.Known, []string{"q", "taken"}) {
			t.Errorf("known: %v", a.Refusal.Known)
		}
		none, _ := live(t, func(c *replay.Context, _ []byte) ([]byte, error) { return given(c.WaitEvent("x", 0).Await()) })
		wantRefusal(t, none.Query("q", nil), query.Unknown, false, "HandleQuery")
	})
	t.Run("gives the error of the code", func(t *testing.T) {
		m, _ := live(t, asked(func(*replay.Context, []string, *replay.Future) ([]byte, error) {
			return []byte("lost"), errors.New("no such order")
		}))
		a := m.Query("q", nil)
		if a.Refusal != nil || a.Output != nil || !strings.Contains(failure.Display(a.Failure), "no such order") {
			t.Errorf("answer %+v", a)
		}
	})
	t.Run("a later handler of a name replaces the one before", func(t *testing.T) {
		m, _ := live(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			for _, phase := range []string{"one", "two", "three"} {
				c.HandleQuery("phase", func([]byte) ([]byte, error) { return []byte(phase), nil })
				if _, err := c.WaitEvent("x", 0).Await(); err != nil {
					return nil, err
				}
			}
			return nil, nil
		})
		wantAnswer(t, m.Query("phase", nil), "three")
	})
	t.Run("of code that does not fit its history", func(t *testing.T) {
		_, history := live(t, asked(taken))
		m := replayedOf(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.HandleQuery("q", func([]byte) ([]byte, error) { return nil, nil })
			return given(activity(c, "other", "").Await())
		}, history)
		wantRefusal(t, m.Query("q", nil), query.Diverged, true, "nondeterministic")
	})
}

func given(v any, err error) ([]byte, error) {
	b, _ := v.([]byte)
	return b, err
}

// TestQueryCannotAct asks queries that do what only code may do. Each is refused with its call site, and the machine goes on as
// one that was asked nothing.
func TestQueryCannotAct(t *testing.T) {
	for name, act := range map[string]func(*replay.Context){
		"activity":       func(c *replay.Context) { c.Activity("A", nil, replay.ActivityOptions{}) },
		"timer":          func(c *replay.Context) { c.Timer(time.Second) },
		"wait":           func(c *replay.Context) { c.WaitEvent("y", 0) },
		"dequeue":        func(c *replay.Context) { c.Dequeue("y") },
		"child":          func(c *replay.Context) { c.Child("C", nil, replay.ChildOptions{}) },
		"detached":       func(c *replay.Context) { c.Detached("C", "d", nil, replay.DetachedOptions{}) },
		"continue":       func(c *replay.Context) { c.ContinueAsNew(nil, "") },
		"set":            func(c *replay.Context) { c.KVSet("key", []byte("other")) },
		"clear":          func(c *replay.Context) { c.KVClear("key") },
		"clear all":      func(c *replay.Context) { c.KVClearAll() },
		"status":         func(c *replay.Context) { c.SetStatus(new("s")) },
		"random":         func(c *replay.Context) { c.Random() },
		"side effect":    func(c *replay.Context) { c.SideEffect(func() []byte { return nil }) },
		"patch":          func(c *replay.Context) { c.Patched("p") },
		"coroutine":      func(c *replay.Context) { c.Go(func(*replay.Context) (any, error) { return nil, nil }) },
		"handle a query": func(c *replay.Context) { c.HandleQuery("r", nil) },
		"scope":          func(c *replay.Context) { _ = c.Scope(func(*replay.Context) error { return nil }) },
		"in a defer":     func(c *replay.Context) { defer c.Random(); c.Timer(0) },
	} {
		t.Run(name, func(t *testing.T) {
			code := asked(func(c *replay.Context, _ []string, _ *replay.Future) ([]byte, error) {
				act(c)
				return []byte("went on"), nil
			})
			m, history := live(t, code)
			wantRefusal(t, m.Query("q", nil), query.NotReading, false, "query_test.go:", `"q"`)
			wantAnswer(t, m.Query("taken", nil), "a,b")
			same(t, m, replayedOf(t, code, history))
		})
	}
	t.Run("cancel", func(t *testing.T) {
		code := asked(func(_ *replay.Context, _ []string, next *replay.Future) ([]byte, error) {
			next.Cancel()
			return nil, nil
		})
		m, history := live(t, code)
		wantRefusal(t, m.Query("q", nil), query.NotReading, false, "query_test.go:")
		same(t, m, replayedOf(t, code, history))
	})
}

// same wants two machines to decide the same, byte for byte.
func same(t *testing.T, m, other *replay.Machine) {
	t.Helper()
	in := input(msgXE("x", "c"), msgXE("x", "d"))
	a, b := m.Advance(in), other.Advance(in)
	if len(a.Events) == 0 || len(a.Events) != len(b.Events) {
		t.Fatalf("%d and %d events", len(a.Events), len(b.Events))
	}
	for i := range a.Events {
		if !proto.Equal(a.Events[i], b.Events[i]) {
			t.Errorf("event %v, want %v", a.Events[i], b.Events[i])
		}
	}
}

func TestQueryThatDoesNotReturn(t *testing.T) {
	t.Run("waits for a future", func(t *testing.T) {
		m, _ := live(t, asked(func(_ *replay.Context, _ []string, next *replay.Future) ([]byte, error) {
			return given(next.Await())
		}))
		wantRefusal(t, m.Query("q", nil), query.Blocked, true, "query_test.go:", "Ready")
	})
	t.Run("panics", func(t *testing.T) {
		code := asked(func(_ *replay.Context, taken []string, _ *replay.Future) ([]byte, error) {
			return []byte(taken[7]), nil
		})
		m, history := live(t, code)
		wantRefusal(t, m.Query("q", nil), query.Panicked, false, "query_test.go:", "out of range")
		same(t, m, replayedOf(t, code, history))
	})
	t.Run("exits", func(t *testing.T) {
		m, _ := live(t, asked(func(*replay.Context, []string, *replay.Future) ([]byte, error) {
			runtime.Goexit()
			return nil, nil
		}))
		wantRefusal(t, m.Query("q", nil), query.Panicked, false, "Goexit")
		wantAnswer(t, m.Query("taken", nil), "a,b")
	})
	t.Run("has its context used on a goroutine", func(t *testing.T) {
		m, _ := live(t, asked(func(c *replay.Context, _ []string, _ *replay.Future) ([]byte, error) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				c.Now()
			}()
			<-done
			return nil, nil
		}))
		wantRefusal(t, m.Query("q", nil), query.Misused, true, "query_test.go:")
		wantRefusal(t, m.Query("taken", nil), query.Misused, true)
	})
	t.Run("blocks outside of the engine", func(t *testing.T) {
		began, release := make(chan struct{}), make(chan struct{})
		m, _ := live(t, asked(func(*replay.Context, []string, *replay.Future) ([]byte, error) {
			close(began)
			<-release
			return []byte("late"), nil
		}))
		if at := m.QueryAt(); at != "" {
			t.Errorf("no query runs, and it is at %s", at)
		}
		answers := make(chan replay.Answer)
		go func() { answers <- m.Query("q", nil) }()
		<-began
		if at := m.QueryAt(); !strings.Contains(at, "query_test.go:") {
			t.Errorf("it blocks at %q", at)
		}
		close(release)
		wantAnswer(t, <-answers, "late")
	})
}
