package replay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/turnstone-dev/turnstone/replay"
)

// computed is a side effect's function that counts its runs: each gives another value.
type computed int

func (n *computed) next() []byte {
	*n++
	return fmt.Appendf(nil, "v%d", *n)
}

func TestSideEffect(t *testing.T) {
	two := func(n *computed) replay.Func {
		return func(c *replay.Context, _ []byte) ([]byte, error) {
			a := c.SideEffect(n.next)
			s, err := text(activity(c, "A", ""))
			return fmt.Appendf(nil, "%s %s %s", a, s, c.SideEffect(n.next)), err
		}
	}
	t.Run("a value is computed once, and comes from history on replay", func(t *testing.T) {
		var n computed
		m := replay.New(config(two(&n)))
		defer m.Close()
		in := input(msgStart())
		d := m.Advance(in)
		wantKinds(t, d, "S SE AS")
		again := replay.New(config(two(&n)))
		defer again.Close()
		again.Load(replay.Segments{d.Segment(1, in, "test")})
		wantKinds(t, again.Advance(input()), "")
		if n != 1 {
			t.Errorf("computed %d times", n)
		}
		d = again.Advance(input(msgAC(3, "x")))
		wantCompleted(t, d, "v1 x v2")
		wantKinds(t, d, "AC(3) SE")
	})
	t.Run("values go to calls in the order of the calls, whichever coroutine makes them", func(t *testing.T) {
		code := func(n *computed) replay.Func {
			return func(c *replay.Context, _ []byte) ([]byte, error) {
				var out []string
				branch := func(c *replay.Context) (any, error) {
					v := string(c.SideEffect(n.next))
					s, err := text(activity(c, "A"+v, ""))
					out = append(out, v+s+string(c.SideEffect(n.next)))
					return nil, err
				}
				c.All(c.Go(branch), c.Go(branch))
				return []byte(strings.Join(out, " ")), nil
			}
		}
		var n computed
		resident, cfg := replay.New(config(code(&n))), config(code(&n))
		defer resident.Close()
		var history []replay.Segment
		for _, in := range []replay.Input{input(msgStart()), input(msgAC(5, "second")), input(msgAC(3, "first"))} {
			d := resident.Advance(in)
			history = append(history, d.Segment(uint64(len(history)+1), in, "test"))
			if d.Outcome != replay.Running {
				wantCompleted(t, d, "v2secondv3 v1firstv4")
			}
		}
		evicted := replay.New(cfg)
		defer evicted.Close()
		evicted.Load(replay.Segments(history[:2]))
		n = 3 // the last turn runs again
		wantCompleted(t, evicted.Advance(input(msgAC(3, "first"))), "v2secondv3 v1firstv4")
		if err := replay.Verify(cfg, history); err != nil {
			t.Error(err)
		}
	})
	t.Run("an empty value is nil, both times, and what code does to a value stays its own", func(t *testing.T) {
		code := func(c *replay.Context, _ []byte) ([]byte, error) {
			none, some := c.SideEffect(func() []byte { return []byte{} }), c.SideEffect(func() []byte { return []byte("a") })
			some[0] = 'b'
			_, err := activity(c, "A", "").Await()
			return fmt.Appendf(nil, "%v %s", none == nil, some), err
		}
		m := replay.New(config(code))
		defer m.Close()
		d := m.Advance(input(msgStart()))
		if v := string(d.Events[2].GetSideEffectRecorded().GetValue()); v != "a" {
			t.Errorf("recorded: %q", v)
		}
		wantCompleted(t, m.Advance(input(msgAC(4, ""))), "true b")
		wantCompleted(t, after(t, code, events(evS(1), evSE(2, ""), evSE(3, "a"), evAS(4, "A", "")), msgAC(4, "")), "true b")
	})
	t.Run("a side effect that history has and code leaves out, and the other way round, is nondeterminism", func(t *testing.T) {
		var n computed
		wantNondeterminism(t, after(t, one("A", ""), events(evS(1), evSE(2, "v"), evAS(3, "A", ""))), "history has SideEffectRecorded", `activity "A"`)
		wantNondeterminism(t, after(t, two(&n), events(evS(1), evAS(2, "A", ""))), "ActivityScheduled", "asked for side effect at replay_test.TestSideEffect")
		wantNondeterminism(t, after(t, waits("E"), events(evS(1), evXS(2, "E"), evSE(3, "v"))))
	})
	t.Run("one that the code asks for behind its history is computed and recorded", func(t *testing.T) {
		var n computed
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			f := activity(c, "A", "")
			v := c.SideEffect(n.next)
			_, err := f.Await()
			return v, err
		}, events(evS(1), evAS(2, "A", "")), msgAC(2, ""))
		wantCompleted(t, d, "v1")
		wantKinds(t, d, "AC(2) SE")
	})
	for name, recovers := range map[string]bool{"panics": false, "panics, and the code recovers": true} {
		t.Run("a turn whose function "+name+" is not recorded", func(t *testing.T) {
			m := replay.New(config(func(c *replay.Context, _ []byte) ([]byte, error) {
				c.Compensate(func(*replay.Context) error { return nil })
				if recovers {
					defer func() { _ = recover() }()
				}
				return c.SideEffect(func() []byte { panic("no value") }), nil
			}))
			defer m.Close()
			d := m.Advance(input(msgStart()))
			var misuse *replay.MisuseError
			if !errors.As(d.Spoiled, &misuse) || misuse.Panic != "no value" || !strings.Contains(misuse.Site, "(sideeffect_test.go:") {
				t.Errorf("spoiled: %v", d.Spoiled)
			}
			if len(d.Events) > 0 {
				t.Errorf("events %v", d.Events)
			}
		})
	}
	t.Run("a value over the limit ends the turn", func(t *testing.T) {
		for size, want := range map[int]replay.Outcome{3: replay.Completed, 4: replay.Completed, 5: replay.Failed} {
			cfg := config(func(c *replay.Context, _ []byte) ([]byte, error) {
				c.SideEffect(func() []byte { return make([]byte, size) })
				return nil, nil
			})
			cfg.Limits = replay.Limits{PayloadBytes: 4}
			m := replay.New(cfg)
			if d := m.Advance(input(msgStart())); d.Outcome != want {
				t.Errorf("%d bytes: outcome %d (%v)", size, d.Outcome, d.Failure)
			}
			m.Close()
		}
	})
}

// TestSideEffectMisused: its function does not run on replay, so nothing that it asks for could be found again.
func TestSideEffectMisused(t *testing.T) {
	for what, use := range map[string]func(c *replay.Context, f *replay.Future){
		"the context":      func(c *replay.Context, _ *replay.Future) { c.Now() },
		"a future":         func(_ *replay.Context, f *replay.Future) { f.Ready() },
		"what would block": func(_ *replay.Context, f *replay.Future) { _, _ = f.Await() },
		"a side effect":    func(c *replay.Context, _ *replay.Future) { c.SideEffect(func() []byte { return nil }) },
	} {
		t.Run(what, func(t *testing.T) {
			m := replay.New(config(func(c *replay.Context, _ []byte) ([]byte, error) {
				f := activity(c, "A", "")
				c.SideEffect(func() []byte { use(c, f); return nil })
				return nil, nil
			}))
			defer m.Close()
			d := m.Advance(input(msgStart()))
			var misuse *replay.MisuseError
			if !errors.As(d.Spoiled, &misuse) || !errors.Is(d.Spoiled, replay.ErrMisuse) || !misuse.SideEffect {
				t.Fatalf("spoiled: %v", d.Spoiled)
			}
			if text := misuse.Error(); !strings.Contains(text, "the function of a side effect used") || !strings.Contains(text, "sideeffect_test.go:") {
				t.Errorf("it says %q", text)
			}
		})
	}
}

// TestToldBeforeAPanic: while the end of a panicked execution waits for a child, each replay runs to the same panic, and
// must be told the same on the way.
func TestToldBeforeAPanic(t *testing.T) {
	var n computed
	code := func(c *replay.Context, _ []byte) ([]byte, error) {
		c.Child("C", nil, replay.ChildOptions{Policy: policyWait})
		if _, err := activity(c, "A", "").Await(); err != nil {
			return nil, err
		}
		if !c.Patched("p") {
			_, err := activity(c, "Old", "").Await()
			return nil, err
		}
		activity(c, "Forgotten", "")
		panic(string(c.SideEffect(n.next)))
	}
	var history []replay.Segment
	m := replay.New(config(code))
	defer m.Close()
	for _, in := range []replay.Input{input(msgStart()), input(msgAC(3, "")), input(msgSC(2, ""))} {
		var d replay.Decision
		evicted := replay.New(config(code))
		evicted.Load(replay.Segments(history))
		d, e := m.Advance(in), evicted.Advance(in)
		if kinds(d) != kinds(e) || d.Outcome != e.Outcome {
			t.Errorf("resident %q with outcome %d, evicted %q with outcome %d", kinds(d), d.Outcome, kinds(e), e.Outcome)
		}
		evicted.Close()
		history = append(history, d.Segment(uint64(len(history)+1), in, "test"))
		switch len(history) {
		case 2:
			wantKinds(t, d, "AC(3) Patch SE")
			wantRunning(t, d)
		case 3:
			wantFailed(t, d, "application", "v1")
			wantFailed(t, e, "application", "v1")
		}
	}
	if err := replay.Verify(config(code), history); err != nil {
		t.Error(err)
	}
}
