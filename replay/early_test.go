package replay_test

import (
	"errors"
	"testing"

	"github.com/turnstone-dev/turnstone/replay"
)

// early is code that may end where its history goes on.
func early(f replay.Func) replay.Func {
	return func(c *replay.Context, in []byte) ([]byte, error) {
		c.MayEndEarly()
		return f(c, in)
	}
}

// TestCodeThatEndsInsideItsHistoryDoesNotFit, however it ends, and however far it has come.
func TestCodeThatEndsInsideItsHistoryDoesNotFit(t *testing.T) {
	ends := map[string]struct {
		end  replay.Func
		says string
	}{
		"returns": {returns("early"), "nothing more: it had returned"},
		"fails": {func(*replay.Context, []byte) ([]byte, error) { return nil, errors.New("no more") },
			"nothing more: it had failed, no more"},
		"panics": {func(*replay.Context, []byte) ([]byte, error) { panic("nil map") },
			"nothing more: it had failed, orchestration panicked: nil map"},
		"continues as new": {func(c *replay.Context, in []byte) ([]byte, error) {
			c.ContinueAsNew(in, "")
			return nil, nil
		}, "nothing more than to continue as new at "},
	}
	for name, e := range ends {
		t.Run(name+" at once", func(t *testing.T) {
			wantNondeterminism(t, after(t, e.end, events(evS(1), evAS(2, "A", "x"))), e.says, `event 2: history has ActivityScheduled "A"`)
		})
		second := func(c *replay.Context, in []byte) ([]byte, error) {
			activity(c, "A", "x").Await()
			return e.end(c, in)
		}
		t.Run(name+" after the first step", func(t *testing.T) {
			h := events(evS(1), evAS(2, "A", "x"), evAC(3, 2, "r"), evXS(4, "E"))
			wantNondeterminism(t, after(t, second, h, msgXE("E", "")), e.says, `event 4: history has ExternalSubscribed "E"`)
			if d := after(t, early(second), h, msgXE("E", "")); d.Outcome == replay.Running || d.Divergence != nil {
				t.Errorf("with MayEndEarly it does not end: %v, %v", d.Outcome, d.Divergence)
			}
		})
		t.Run(name+" where history ends, too", func(t *testing.T) {
			if d := after(t, second, events(evS(1), evAS(2, "A", "x")), msgAC(2, "r")); d.Outcome == replay.Running || d.Divergence != nil {
				t.Errorf("it does not end: %v, %v", d.Outcome, d.Divergence)
			}
		})
	}
}

// TestUndoStepsThatEndInsideTheirHistoryDoNotFit: history has an activity that the last of them no longer asks for.
func TestUndoStepsThatEndInsideTheirHistoryDoNotFit(t *testing.T) {
	fails := func(undo func(c *replay.Context) error) replay.Func {
		return func(c *replay.Context, _ []byte) ([]byte, error) {
			c.Compensate(undo)
			return nil, errors.New("it fails")
		}
	}
	j := travel(t, config(fails(func(c *replay.Context) error { return awaited(activity(c, "undo", "")) })))
	wantKinds(t, j.turn(msgStart()), "S Push Started TC AS")
	m := replay.New(config(fails(func(*replay.Context) error { return nil })))
	defer m.Close()
	m.Load(replay.Segments(j.history))
	wantNondeterminism(t, m.Advance(input(msgAC(5, "undone"))), `event 5: history has ActivityScheduled "undo"`, "nothing more: its undo steps had ended")
}
