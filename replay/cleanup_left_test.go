package replay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// TestUndoStepsGiveUpWhatTheCodeLeft: an undo step cancels what the code had open when it ended, in every way of ending. It
// is given up already, so this changes nothing, and what the steps have open is counted exactly (by the checks of the tag
// invariants).
func TestUndoStepsGiveUpWhatTheCodeLeft(t *testing.T) {
	for name, end := range map[string]func(c *replay.Context) error{
		"error": func(*replay.Context) error { return errors.New("oops") },
		"panic": func(*replay.Context) error { panic("oops") },
		"abort": func(c *replay.Context) error { _, err := c.Timer(time.Hour).Await(); return err },
	} {
		t.Run(name, func(t *testing.T) {
			j := travel(t, config(func(c *replay.Context, _ []byte) ([]byte, error) {
				var left []*replay.Future
				keep := func(f *replay.Future) { left = append(left, f) }
				c.Compensate(func(c *replay.Context) error {
					for _, f := range left {
						f.Cancel()
					}
					_, err := activity(c, "Undo", "").Await()
					return err
				})
				keep(activity(c, "Early", ""))
				first := activity(c, "First", "")
				keep(first)
				keep(c.Go(func(c *replay.Context) (any, error) {
					defer func() { keep(activity(c, "Deferred", "")) }()
					keep(activity(c, "Inner", ""))
					return c.Timer(time.Hour).Await()
				}))
				if name != "abort" {
					first.Await()
				}
				keep(activity(c, "Late", ""))
				return nil, end(c)
			}))
			wantRunning(t, j.turn(msgStart()))
			message := msgAC(4, "")
			if name == "abort" {
				message = msgAF(4, failure.Infrastructure("op", "gone", false))
			}
			d := j.turn(message)
			wantRunning(t, d)
			if open := j.m.Open(); open.Activities != 1 {
				t.Errorf("open are %+v", open)
			}
		})
	}
}

// TestAStopOfTheHost: code is stopped where it was before the messages of the turn, the steps run, and a stop while one runs
// ends that one.
func TestAStopOfTheHost(t *testing.T) {
	ran := []string{}
	fn := saga(func(c *replay.Context) error {
		_, err := text(activity(c, "C", ""))
		ran = append(ran, "C is done")
		return err
	})
	for _, batch := range []bool{true, false} {
		ran = nil
		j := travel(t, config(fn))
		j.turn(msgStart())
		j.turn(msgAC(3, "a"))
		j.turn(msgAC(6, "b")) // C is event 8
		stop := failure.Limit("the turn is too large")
		d := j.stop(stop, msgAC(8, "c"), msgXE("left", ""))
		if len(ran) > 0 {
			t.Fatal("the code ran on after the stop")
		}
		wantKinds(t, d, "AC(8) XE Started TC AS")
		if k := d.Events[2].GetCompensationStarted(); k.GetCause() != turnpb.CompensationCause_COMPENSATION_CAUSE_LIMIT || k.GetStop().GetEvent() != 9 {
			t.Fatalf("the end is fixed as %v", k)
		}
		if batch {
			d = j.stop(failure.Limit("the step is too large"), msgAC(13, "undone"))
			wantKinds(t, d, "AC(13) Failed AS ACancel(13)")
			d = j.turn(msgAC(16, "undone"))
		} else {
			d = j.turn(msgAC(13, "undone"))
			d = j.turn(msgAC(d.Events[1].GetId(), "undone"))
		}
		if d.Outcome != replay.Failed || failure.Display(d.Failure) != failure.Display(stop) {
			t.Fatalf("it ends with %v", d.Failure)
		}
	}
}

// TestF43_undo_steps_find_what_came_in_the_turn_that_ended_the_code: code that returns gives up what it left open at once. Code
// that panics does so at the end of the turn, so an answer in the same turn still comes, and one in a later turn does not. The
// answer of an abandoned child always comes. The execution ends alike.
func TestF43_undo_steps_find_what_came_in_the_turn_that_ended_the_code(t *testing.T) {
	for _, c := range []struct {
		policy        turnpb.ChildPolicy
		panics, batch bool
		want          string
	}{
		{policyCancel, false, true, "canceled: " + replay.ReasonDropped}, {policyCancel, false, false, "canceled: " + replay.ReasonDropped},
		{policyCancel, true, true, "answer"}, {policyCancel, true, false, "canceled: " + replay.ReasonDropped},
		{policyAbandon, false, true, "answer"}, {policyAbandon, false, false, "answer"},
		{policyAbandon, true, true, "answer"}, {policyAbandon, true, false, "answer"},
	} {
		t.Run(fmt.Sprint(c.policy, " panics ", c.panics, " batch ", c.batch), func(t *testing.T) {
			saw := ""
			j := travel(t, config(func(rc *replay.Context, _ []byte) ([]byte, error) {
				left := policyChild(rc, "C", c.policy)
				rc.Compensate(func(*replay.Context) error {
					out, err := text(left)
					if saw = out; err != nil {
						saw = err.Error()
					}
					return nil
				})
				_, err := text(activity(rc, "A", ""))
				if c.panics {
					panic("declined")
				}
				return nil, err
			}))
			j.turn(msgStart())
			failed := msgAF(4, activityFailed("declined"))
			var d replay.Decision
			if c.batch {
				d = j.turn(failed, msgSC(2, "answer"))
			} else if d = j.turn(failed); c.policy == policyAbandon {
				d = j.turn(msgSC(2, "answer")) // the step waits for it
			}
			if saw != c.want {
				t.Errorf("the step saw %q, want %q", saw, c.want)
			}
			if d.Outcome != replay.Failed || !strings.HasSuffix(failure.Display(d.Failure), "declined") {
				t.Errorf("it ends with %v", d.Failure)
			}
		})
	}
}

// TestAStopAfterATurnWithoutEvents: the turn before the stop has only a message that was rejected, and so is before the same event.
func TestAStopAfterATurnWithoutEvents(t *testing.T) {
	j := travel(t, config(saga(func(c *replay.Context) error { return awaited(activity(c, "C", "")) })))
	j.turn(msgStart())
	j.turn(msgAC(3, "a"))
	j.turn(msgAC(6, "b"))
	wantRejected(t, j.turn(msgAC(6, "again")), 1)
	wantKinds(t, j.stop(failure.Limit("the turn is too large"), msgXE("left", "")), "XE Started ACancel(8) TC AS")
}
