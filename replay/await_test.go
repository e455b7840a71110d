package replay_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

func msgAwaited(event uint64, ended *turnpb.AwaitEnded) *turnpb.Message {
	return &turnpb.Message{Execution: 1, Event: event, Kind: &turnpb.Message_AwaitEnded{AwaitEnded: ended}}
}

func endedWith(output string) *turnpb.AwaitEnded {
	return &turnpb.AwaitEnded{End: &turnpb.AwaitEnded_Completed{Completed: &turnpb.OrchestrationCompleted{Output: []byte(output)}}}
}

func endedBadly(f *turnpb.Failure) *turnpb.AwaitEnded {
	return &turnpb.AwaitEnded{End: &turnpb.AwaitEnded_Failed{Failed: &turnpb.OrchestrationFailed{Failure: f}}}
}

// awaits waits for the end of x and gives it, or what it failed with.
func awaits(c *replay.Context, _ []byte) ([]byte, error) {
	v, err := c.AwaitInstance("x").Await()
	b, _ := v.([]byte)
	var none *replay.SendError
	if errors.As(err, &none) {
		return []byte("none: " + none.Instance), nil
	}
	if err != nil {
		return []byte("failed: " + err.Error()), nil
	}
	return b, nil
}

func TestAwaitsOfInstances(t *testing.T) {
	for name, c := range map[string]struct {
		ended *turnpb.AwaitEnded
		want  string
	}{
		"an output":               {endedWith("out"), "out"},
		"no output":               {endedWith(""), ""},
		"an error":                {endedBadly(activityFailed("bad")), "failed: bad"},
		"no such instance":        {&turnpb.AwaitEnded{}, "none: x"},
		"another's broken code":   {endedBadly(failure.Nondeterminism("AwaitEnded", "changed")), "changed"},
		"another's broken engine": {endedBadly(failure.Infrastructure("x", "disk", false)), "disk"},
	} {
		t.Run(name, func(t *testing.T) {
			s := tell(t, awaits)
			d := s.turn(msgStart())
			wantKinds(t, d, "S Await")
			if len(d.Awaits) != 1 || d.Awaits[0] != (replay.Await{Event: 2, Instance: "x"}) || len(d.CallSites) != 1 {
				t.Fatalf("awaits %+v, sites %v", d.Awaits, d.CallSites)
			}
			if n := s.resident.Open().Awaits; n != 1 {
				t.Errorf("%d are open", n)
			}
			d = s.turn(msgAwaited(2, c.ended))
			wantKinds(t, d, "Awaited(2)")
			if d.Outcome != replay.Completed || !strings.Contains(string(d.Output), c.want) || len(d.CancelledAwaits) > 0 {
				t.Errorf("outcome %v, output %q, want %q; given up %v", d.Outcome, d.Output, c.want, d.CancelledAwaits)
			}
		})
	}
}

func TestAwaitsThatAreGivenUp(t *testing.T) {
	t.Run("by a race and by a cancel: the answer reaches no one", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			first, second := c.AwaitInstance("x"), c.AwaitInstance("y")
			c.AwaitInstance("z").Cancel()
			if c.Race(first, c.Timer(time.Second)) != 1 {
				return nil, errors.New("the timer came later")
			}
			second.Cancel()
			return nil, awaited(c.WaitEvent("end", positional))
		})
		d := s.turn(msgStart())
		wantKinds(t, d, "S Await Await Await TC")
		if len(d.Awaits) != 2 || len(d.CancelledAwaits) > 0 {
			t.Fatalf("awaits %+v, given up %+v", d.Awaits, d.CancelledAwaits)
		}
		d = s.turn(msgTF(5))
		wantKinds(t, d, "TF(5) XS")
		if len(d.CancelledAwaits) != 2 || d.CancelledAwaits[0] != (replay.Await{Event: 2, Instance: "x"}) ||
			d.CancelledAwaits[1] != (replay.Await{Event: 3, Instance: "y"}) {
			t.Fatalf("given up %+v", d.CancelledAwaits)
		}
		d = s.turn(msgAwaited(2, endedWith("late")), msgAwaited(3, endedBadly(activityFailed("late"))))
		wantKinds(t, d, "Awaited(2) Awaited(3)")
		wantRejected(t, s.turn(msgAwaited(2, endedWith("late"))), 1)
		wantCompleted(t, s.turn(msgXE("end", "")), "")
	})
	t.Run("one that is answered in the turn that gives it up has ended", func(t *testing.T) {
		s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
			f := c.AwaitInstance("x")
			err := awaited(c.WaitEvent("go", positional))
			f.Cancel()
			return nil, err
		})
		s.turn(msgStart())
		if d := s.turn(msgXE("go", ""), msgAwaited(2, endedWith("out"))); len(d.CancelledAwaits) > 0 {
			t.Errorf("given up %+v", d.CancelledAwaits)
		}
	})
	for name, end := range map[string]func(c *replay.Context) ([]byte, error){
		"at its end":              func(*replay.Context) ([]byte, error) { return nil, nil },
		"when it continues":       func(c *replay.Context) ([]byte, error) { c.ContinueAsNew(nil, ""); return nil, nil },
		"when it fails":           func(*replay.Context) ([]byte, error) { return nil, errors.New("bad") },
		"when it waits no longer": func(c *replay.Context) ([]byte, error) { return nil, awaited(c.WaitEvent("end", positional)) },
	} {
		t.Run("by an execution "+name, func(t *testing.T) {
			s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
				c.AwaitInstance("x")
				if err := awaited(c.WaitEvent("go", positional)); err != nil {
					return nil, err
				}
				c.AwaitInstance("of the last turn")
				return end(c)
			})
			s.turn(msgStart())
			d := s.turn(msgXE("go", ""))
			if d.Outcome == replay.Running {
				if len(d.Awaits) != 1 {
					t.Errorf("awaits %+v", d.Awaits)
				}
				d = s.turn(msgCancel("stop"))
			} else if len(d.Awaits) > 0 {
				t.Errorf("awaits %+v", d.Awaits)
			}
			if len(d.CancelledAwaits) == 0 || d.CancelledAwaits[0] != (replay.Await{Event: 2, Instance: "x"}) {
				t.Errorf("given up %+v", d.CancelledAwaits)
			}
		})
	}
}

func TestAwaitsAreMatched(t *testing.T) {
	for name, change := range map[string]struct {
		ask  func(c *replay.Context) *replay.Future
		says string
	}{
		"instance": {func(c *replay.Context) *replay.Future { return c.AwaitInstance("z") }, "the instances differ"},
		"class":    {func(c *replay.Context) *replay.Future { return c.Raise("x", "go", nil) }, "the kinds differ"},
	} {
		t.Run(name, func(t *testing.T) {
			old := tell(t, awaits)
			old.turn(msgStart())
			m := replay.New(config(func(c *replay.Context, _ []byte) ([]byte, error) { return nil, awaited(change.ask(c)) }))
			defer m.Close()
			m.Load(replay.Segments(old.history))
			wantNondeterminism(t, m.Advance(replay.Input{Messages: []*turnpb.Message{msgAwaited(2, endedWith(""))}}), change.says)
		})
	}
}

func TestAnInstanceCannotAwaitItself(t *testing.T) {
	s := tell(t, func(c *replay.Context, _ []byte) ([]byte, error) {
		_, err := c.AwaitInstance(c.Instance()).Await()
		return nil, err
	})
	d := s.turn(msgStart())
	if d.Outcome != replay.Failed || !strings.Contains(failure.Display(d.Failure), "waits for its own end") {
		t.Errorf("outcome %v, %s", d.Outcome, failure.Display(d.Failure))
	}
}
