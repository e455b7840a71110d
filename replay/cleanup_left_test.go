package replay_test

import (
	"errors"
	"testing"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
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
