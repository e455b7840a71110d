package replay

import turnpb "github.com/turnstone-dev/turnstone/proto"

// activityCall is what an activity has beside its name and input; most have none of it, and a nil one then.
type activityCall struct {
	attempt  uint32 // 0 for the first
	first    uint64 // the schedule event of the first attempt; 0 for that one
	timeouts *turnpb.ActivityTimeouts
	last     []byte // the details of the last heartbeat of the attempt before
}

func callOf(o *ActivityOptions) *activityCall {
	if o.Attempt <= 1 && o.Timeouts == nil {
		return nil
	}
	c := &activityCall{timeouts: o.Timeouts}
	if o.Attempt > 1 {
		c.attempt, c.first, c.last = o.Attempt, o.First, o.LastHeartbeat
	}
	return c
}

// record puts it into the schedule event.
func (c *activityCall) record(e *turnpb.ActivityScheduled) {
	if c != nil {
		e.Attempt, e.FirstEvent, e.Timeouts, e.LastHeartbeat = c.attempt, c.first, c.timeouts, c.last
	}
}

// hand puts it into the work of the turn.
func (c *activityCall) hand(a *Activity) {
	if c != nil {
		a.Attempt, a.First, a.Timeouts, a.LastHeartbeat = c.attempt, c.first, c.timeouts, c.last
	}
}
