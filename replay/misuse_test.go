package replay_test

import (
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone/replay"
)

// foreign runs a function on a goroutine of the author's and waits until it ends.
func foreign(f func()) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	<-done
}

func wantMisuse(t *testing.T, err error, sites ...string) {
	t.Helper()
	var m *replay.MisuseError
	if !errors.As(err, &m) || !errors.Is(err, replay.ErrMisuse) {
		t.Fatalf("got %v, want a misuse", err)
	}
	for _, site := range append(sites, "misuse_test.go:") {
		if !strings.Contains(m.Stack, site) || !strings.HasPrefix(m.Stack, m.Site+"\n") || !strings.Contains(err.Error(), m.Site) {
			t.Errorf("%v: at %q; no %q in the stack\n%s", err, m.Site, site, m.Stack)
		}
	}
	if m.Instance != "inst" || m.Execution != 1 || len(m.Stack) > replay.StackBytesMax {
		t.Errorf("%+v", m)
	}
}

func wantSpoiled(t *testing.T, d replay.Decision) {
	t.Helper()
	wantMisuse(t, d.Spoiled)
	if len(d.Events) != 0 {
		t.Errorf("decision: %+v", d)
	}
}

// operations are all methods of a value, by name, called with arguments that are zero.
func operations(v any) map[string]func() {
	all := map[string]func(){}
	r := reflect.ValueOf(v)
	for i := range r.NumMethod() {
		f := r.Method(i)
		args := make([]reflect.Value, f.Type().NumIn())
		for j := range args {
			args[j] = reflect.Zero(f.Type().In(j))
		}
		call := f.Call
		if f.Type().IsVariadic() {
			call = f.CallSlice
		}
		all[r.Type().Method(i).Name] = func() { call(args) }
	}
	return all
}

// TestF30_every_operation_on_a_goroutine_of_the_authors_spoils_the_turn: while the coroutine has control, and never
// mind whether the operation would return at once.
func TestF30_every_operation_on_a_goroutine_of_the_authors_spoils_the_turn(t *testing.T) {
	try := func(name string, pick func(c *replay.Context) any) {
		t.Run(name, func(t *testing.T) {
			returned := false
			m, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
				f := operations(pick(c))[name]
				foreign(func() { f(); returned = true })
				return []byte("done"), nil
			})
			wantSpoiled(t, d)
			wantSpoiled(t, m.Advance(input(msgXE("E", ""))))
			if returned {
				t.Error("the call returned")
			}
		})
	}
	for name := range operations(&replay.Context{}) {
		try(name, func(c *replay.Context) any { return c })
	}
	for name := range operations(&replay.Future{}) {
		try(name, func(c *replay.Context) any { return activity(c, "A", "") })
		try(name, func(c *replay.Context) any {
			f := c.Activity(replay.SystemNewGUID, nil, replay.ActivityOptions{})
			f.Await()
			return f
		})
	}
}

// TestF30_a_goroutine_that_calls_an_activity_is_found_100_times_of_100: it runs whenever it comes to run, beside the
// coroutine, beside the engine or between turns, and another time on a thread of its own.
func TestF30_a_goroutine_that_calls_an_activity_is_found_100_times_of_100(t *testing.T) {
	for i := range 100 {
		done := make(chan struct{})
		m := replay.New(config(func(c *replay.Context, _ []byte) ([]byte, error) {
			go func() {
				defer close(done)
				if i%2 == 0 {
					runtime.LockOSThread() // a coroutine cannot be switched to from here: the runtime would end the process
				}
				_, _ = text(activity(c, "stolen", ""))
				t.Error("the call returned")
			}()
			for range 100 {
				c.Now()
			}
			s, err := text(activity(c, "mine", ""))
			return []byte(s), err
		}))
		d := m.Advance(input(msgStart()))
		<-done
		wantMisuse(t, m.Spoiled(), "100_times_of_100")
		if d.Spoiled == nil { // it came after the turn: the host asks again before it commits
			wantKinds(t, d, "S AS")
		}
		wantSpoiled(t, m.Advance(input(msgAC(2, "r"))))
		m.Close()
	}
}

// TestF30_code_that_locks_its_thread_does_not_end_the_process: where it waits, where it returns, where it panics, where it
// leaves its goroutine and where it is unwound.
func TestF30_code_that_locks_its_thread_does_not_end_the_process(t *testing.T) {
	many := func(n int) {
		for range n {
			runtime.LockOSThread()
		}
	}
	lock := func() { many(2) }
	waits := func(c *replay.Context) { _, _ = activity(c, "A", "").Await() }
	for name, code := range map[string]func(c *replay.Context){
		"waits":                         func(c *replay.Context) { lock(); waits(c); lock() },
		"waits, locked nine times":      func(c *replay.Context) { many(9); waits(c); many(9) },
		"waits, locked a million times": func(c *replay.Context) { many(1 << 20); waits(c); waits(c) },
		"panics":                        func(c *replay.Context) { waits(c); lock(); panic("oops") },
		"exits":                         func(c *replay.Context) { waits(c); lock(); runtime.Goexit() },
		"unwound":                       func(c *replay.Context) { defer lock(); waits(c); lock(); c.WaitEvent("never", buffered).Await() },
		"child": func(c *replay.Context) {
			c.Go(func(c *replay.Context) (any, error) { lock(); return 1, nil }).Await()
			waits(c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) { code(c); return nil, nil })
			wantRunning(t, s.turn(msgStart()))
			s.turn(msgAC(2, ""))
			s.resident.Close()
		})
	}
}

func TestMisuse(t *testing.T) {
	t.Run("between turns", func(t *testing.T) {
		var leaked *replay.Context
		m, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			leaked = c
			activity(c, "A", "").Await()
			return nil, nil
		})
		wantRunning(t, d)
		if err := m.Spoiled(); err != nil {
			t.Fatal(err)
		}
		foreign(func() { leaked.Now() })
		wantMisuse(t, m.Spoiled(), "TestMisuse")
		wantSpoiled(t, m.Advance(input(msgAC(2, "r"))))
	})
	t.Run("a coroutine that uses another one's context", func(t *testing.T) {
		_, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Go(func(*replay.Context) (any, error) { return activity(c, "A", "").Await() }).Await()
			return nil, nil
		})
		wantSpoiled(t, d)
	})
	t.Run("code of another instance that uses a context", func(t *testing.T) {
		var leaked *replay.Context
		other, d := fresh(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			leaked = c
			activity(c, "A", "").Await()
			return nil, nil
		})
		wantRunning(t, d)
		_, d = fresh(t, func(*replay.Context, []byte) ([]byte, error) { leaked.Now(); return nil, nil })
		wantFailed(t, d, "application", "runtime.Goexit")
		wantMisuse(t, other.Spoiled())
	})
	t.Run("a goroutine that a deferred function starts while the code is unwound", func(t *testing.T) {
		var told []error
		cfg := config(func(c *replay.Context, _ []byte) ([]byte, error) {
			defer foreign(func() { c.Now() })
			activity(c, "A", "").Await()
			return nil, nil
		})
		cfg.Stray = func(err *replay.MisuseError) { told = append(told, err) }
		m := replay.New(cfg)
		wantRunning(t, m.Advance(input(msgStart())))
		m.Close()
		wantMisuse(t, m.Spoiled())
		if len(told) != 1 {
			t.Errorf("told %v", told)
		}
	})
	t.Run("after the end", func(t *testing.T) {
		var leaked *replay.Context
		var told []error
		cfg := config(func(c *replay.Context, _ []byte) ([]byte, error) { leaked = c; return nil, nil })
		cfg.Stray = func(err *replay.MisuseError) { told = append(told, err) }
		m := replay.New(cfg)
		wantCompleted(t, m.Advance(input(msgStart())), "")
		m.Close()
		for range 2 {
			returned := false
			foreign(func() { leaked.Now(); returned = true })
			if returned {
				t.Error("the call returned")
			}
		}
		if len(told) != 1 {
			t.Fatalf("told %v", told)
		}
		wantMisuse(t, told[0], "TestMisuse")
	})
}
