package client

import (
	"time"

	"github.com/turnstone-dev/turnstone"
	"github.com/turnstone-dev/turnstone/client/api"
)

// Cleanup says how far the undo steps of an instance are: see [turnstone.Context.Compensate]. It is as the last recorded
// turn left it.
type Cleanup struct {
	// Failure is how the instance ends when the steps are done: cancelled, timed out, or failed by its code. It is set by
	// [Client.Describe]; a listing leaves it out.
	Failure *turnstone.Failure
	// Since is the time of the turn that fixed the end.
	Since time.Time
	// Deadline is when the steps are given up; zero if they may take any time.
	Deadline time.Time
	// StepsLeft counts the steps that have not ended, the one that runs included. It is 0 while the instance waits only for
	// its children.
	StepsLeft int
}

func cleanupOf(c *api.Cleanup, codec turnstone.Codec) (*Cleanup, error) {
	if c == nil {
		return nil, nil
	}
	failure, err := failureOf(c.Failure, codec)
	if err != nil {
		return nil, err
	}
	return &Cleanup{Failure: failure, Since: moment(c.SinceMs), Deadline: moment(c.DeadlineMs), StepsLeft: c.StepsLeft}, nil
}
