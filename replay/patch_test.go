package replay_test

import (
	"fmt"
	"testing"

	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// patched runs the new activity under the patch, else the old one, each time round.
func patched(rounds int) replay.Func {
	return func(c *replay.Context, _ []byte) ([]byte, error) {
		out := ""
		for range rounds {
			name := "Old"
			if c.Patched("p") {
				name = "New"
			}
			s, err := text(activity(c, name, ""))
			if err != nil {
				return nil, err
			}
			out += name + s
		}
		return []byte(out), nil
	}
}

// unpatched is the code before the change.
func unpatched(rounds int) replay.Func {
	return func(c *replay.Context, _ []byte) ([]byte, error) {
		for range rounds {
			if _, err := activity(c, "Old", "").Await(); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
}

func TestPatched(t *testing.T) {
	t.Run("a new execution takes the new way and records one marker", func(t *testing.T) {
		m := replay.New(config(patched(2)))
		defer m.Close()
		wantKinds(t, m.Advance(input(msgStart())), "S Patch AS")
		wantKinds(t, m.Advance(input(msgAC(3, "1"))), "AC(3) AS")
		wantCompleted(t, m.Advance(input(msgAC(5, "2"))), "New1New2")
	})
	t.Run("history with the marker takes the new way again", func(t *testing.T) {
		d := after(t, patched(2), events(evS(1), evPatch(2, "p"), evAS(3, "New", ""), evAC(4, 3, "1"), evAS(5, "New", "")), msgAC(5, "2"))
		wantCompleted(t, d, "New1New2")
		wantKinds(t, d, "AC(5)")
	})
	t.Run("the first call decides: a loop that began in the old way ends in it, resident or not", func(t *testing.T) {
		hist := events(evS(1), evAS(2, "Old", ""))
		m := replay.New(config(patched(3)))
		defer m.Close()
		m.Load(replay.Segments(flat(hist...)))
		wantKinds(t, m.Advance(input(msgAC(2, "1"))), "AC(2) AS")
		wantCompleted(t, after(t, patched(2), append(hist, evAC(3, 2, "1"), evAS(4, "Old", "")), msgAC(4, "2")), "Old1Old2")
		wantKinds(t, m.Advance(input(msgAC(4, "2"))), "AC(4) AS")
		wantCompleted(t, m.Advance(input(msgAC(6, "3"))), "Old1Old2Old3")
	})
	t.Run("code that an old execution has not reached is new", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			_, err := activity(c, "First", "").Await()
			return fmt.Append(nil, c.Patched("p")), err
		}, events(evS(1), evAS(2, "First", "")), msgAC(2, ""))
		wantCompleted(t, d, "true")
		wantKinds(t, d, "AC(2) Patch")
	})
	t.Run("code that asks for the marker no more, or at another place, fits", func(t *testing.T) {
		hist := events(evS(1), evAS(2, "First", ""), evAC(3, 2, ""), evPatch(4, "p"), evAS(5, "A", ""))
		wantCompleted(t, after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			if _, err := activity(c, "First", "").Await(); err != nil {
				return nil, err
			}
			s, err := text(activity(c, "A", ""))
			return []byte(s), err
		}, hist, msgAC(5, "done")), "done")
		wantCompleted(t, after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			early := c.Patched("p")
			if _, err := activity(c, "First", "").Await(); err != nil {
				return nil, err
			}
			_, err := activity(c, "A", "").Await()
			return fmt.Append(nil, early), err
		}, hist, msgAC(5, "")), "true")
	})
	t.Run("ids are decided each for itself", func(t *testing.T) {
		d := after(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			a, b := c.Patched("a"), c.Patched("b")
			_, err := activity(c, "A", "").Await()
			return fmt.Append(nil, a, b, c.Patched("b"), c.Patched("c"), c.Patched("c")), err
		}, events(evS(1), evPatch(2, "a"), evAS(3, "A", "")), msgAC(3, ""))
		wantCompleted(t, d, "true false false true true")
		wantKinds(t, d, "AC(3) Patch")
	})
	t.Run("each execution decides anew", func(t *testing.T) {
		cfg := config(patched(1))
		cfg.Execution = 2
		m := replay.New(cfg)
		defer m.Close()
		wantKinds(t, m.Advance(input(msgStart())), "S Patch AS")
	})
}

func TestDeprecatePatch(t *testing.T) {
	deprecated := func(c *replay.Context, _ []byte) ([]byte, error) {
		c.DeprecatePatch("p")
		s, err := text(activity(c, "New", ""))
		return []byte(s), err
	}
	m := replay.New(config(deprecated))
	defer m.Close()
	in := input(msgStart())
	d := m.Advance(in)
	wantKinds(t, d, "S Patch AS")
	if k := d.Events[1].GetPatchMarked(); k.GetId() != "p" || !k.GetDeprecated() {
		t.Errorf("the marker is %v", k)
	}
	first := d.Segment(1, in, "test")
	t.Run("a rollback to code with both ways takes the new one", func(t *testing.T) {
		back := replay.New(config(patched(1)))
		defer back.Close()
		back.Load(replay.Segments{first})
		wantCompleted(t, back.Advance(input(msgAC(3, "!"))), "New!")
	})
	t.Run("a history of the old way does not fit, and the reason names the patch", func(t *testing.T) {
		d := after(t, deprecated, events(evS(1), evAS(2, "Old", "")), msgAC(2, "done"))
		wantNondeterminism(t, d, "schedule mismatch",
			`the code deprecates patch "p", and the history has no marker of it: code with ctx.Patched("p") fits`)
	})
	t.Run("a history of the stage before fits and gets no second marker", func(t *testing.T) {
		d := after(t, deprecated, events(evS(1), evPatch(2, "p"), evAS(3, "New", "")), msgAC(3, "done"))
		wantCompleted(t, d, "done")
		wantKinds(t, d, "AC(3)")
	})
	t.Run("an execution of the old way does not fit any more", func(t *testing.T) {
		wantNondeterminism(t, after(t, deprecated, events(evS(1), evAS(2, "Old", ""))), `"Old"`, `"New"`)
	})
}

func TestPatchIDs(t *testing.T) {
	cfg := config(func(c *replay.Context, in []byte) ([]byte, error) { return fmt.Append(nil, c.Patched(string(in))), nil })
	cfg.Limits = replay.Limits{NameBytes: 3, IDBytes: 3}
	run := func(id string) replay.Decision {
		m := replay.New(cfg)
		defer m.Close()
		msg := msgStart()
		msg.GetStart().Input = []byte(id)
		return m.Advance(input(msg))
	}
	for _, id := range []string{"ab", "abc"} {
		wantCompleted(t, run(id), "true")
	}
	wantFailed(t, run("abcd"), "application", "patch id is 4 bytes, the limit is 3 bytes")
	wantFailed(t, run(""), "application", "invalid patch id: it is empty")
	if d := run("abcd"); d.Origin != turnpb.SegmentOrigin_SEGMENT_ORIGIN_LIMIT {
		t.Errorf("the origin is %v", d.Origin)
	}
}

// TestVerifyOfAPatchedHistory: the oracle runs the code of today over turns that the code of yesterday took.
func TestVerifyOfAPatchedHistory(t *testing.T) {
	take := func(m *replay.Machine, history *[]replay.Segment, messages ...*turnpb.Message) replay.Decision {
		in := input(messages...)
		d := m.Advance(in)
		*history = append(*history, d.Segment(uint64(len(*history)+1), in, "test"))
		return d
	}
	var history []replay.Segment
	before := replay.New(config(unpatched(2)))
	defer before.Close()
	take(before, &history, msgStart())
	now := replay.New(config(patched(2)))
	defer now.Close()
	now.Load(replay.Segments(history))
	take(now, &history, msgAC(2, "1"))
	wantCompleted(t, take(now, &history, msgAC(4, "2")), "Old1Old2")
	if err := replay.Verify(config(patched(2)), history); err != nil {
		t.Error(err)
	}

	history = nil
	fresh := replay.New(config(patched(1)))
	defer fresh.Close()
	take(fresh, &history, msgStart())
	wantCompleted(t, take(fresh, &history, msgAC(3, "")), "New")
	if err := replay.Verify(config(patched(1)), history); err != nil {
		t.Error(err)
	}
	deprecated := config(func(c *replay.Context, _ []byte) ([]byte, error) {
		c.DeprecatePatch("p")
		return patched(1)(c, nil)
	})
	if err := replay.Verify(deprecated, history); err != nil {
		t.Errorf("with the code of the next stage: %v", err)
	}
	next := replay.New(deprecated)
	defer next.Close()
	history = nil
	take(next, &history, msgStart())
	wantCompleted(t, take(next, &history, msgAC(3, "")), "New")
	if err := replay.Verify(config(patched(1)), history); err != nil {
		t.Errorf("with the code of the stage before: %v", err)
	}
	if err := replay.Verify(config(unpatched(1)), history); err == nil {
		t.Error("a history with a marker verifies with code that never asked for it")
	}
}
