package partition

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/limits"
	"github.com/turnstone-dev/turnstone/persistence"
)

// heart is what the code of an activity tells of its progress. The code's goroutines write it, and the partition's actor reads
// it.
type heart struct {
	beatMs atomic.Int64 // when it last beat, in elapsed time
	mu     struct {
		sync.Mutex
		details []byte // of the last heartbeat that had some; nil: none had
		told    bool   // the actor knows that there are details which it has not taken
	}
}

// Beat implements consumer.Heart. It may be called from any goroutine.
func (c *activityCall) Beat(details []byte) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	if err := limits.Check("heartbeat bytes", len(details), c.limits.HeartbeatBytes, "HeartbeatBytes"); err != nil {
		return err
	}
	c.heart.beatMs.Store(clock.ElapsedMs(c.of.s.host.Config.Clock))
	if len(details) == 0 {
		return nil
	}
	c.heart.mu.Lock()
	told := c.heart.mu.told
	c.heart.mu.details, c.heart.mu.told = details, true
	c.heart.mu.Unlock()
	if !told {
		c.of.s.post("heartbeat", c.of.beat)
	}
	return nil
}

// Before implements consumer.Heart.
func (c *activityCall) Before() []byte { return c.before }

// latest are the details that the attempt after this one gets.
func (c *activityCall) latest() []byte {
	c.heart.mu.Lock()
	defer c.heart.mu.Unlock()
	if c.heart.mu.details == nil {
		return c.before
	}
	return c.heart.mu.details
}

// takeDetails are the details to be recorded. The next heartbeat with details is told again.
func (c *activityCall) takeDetails() []byte {
	c.heart.mu.Lock()
	defer c.heart.mu.Unlock()
	c.heart.mu.told = false
	return c.heart.mu.details
}

// checkBeat ends the activity if it has given no heartbeat for too long.
func (a *activity) checkBeat() {
	due := a.call.heart.beatMs.Load() + a.item.Deadlines.HeartbeatMs
	if due <= a.s.now() {
		a.timeUp(persistence.ExpiredHeartbeat)
		return
	}
	a.beatAt = a.s.alarms.set(due, a.checkBeat)
}

// beatPauseMs is how long details wait after others were recorded: a third of the timeout, or of the time that a lease
// lasts.
func (a *activity) beatPauseMs() int64 {
	ms := a.item.Deadlines.HeartbeatMs
	if ms == 0 {
		ms = a.s.host.Config.WorkLease.Milliseconds()
	}
	return max(ms/3, 1)
}

// beat has the details of a heartbeat recorded, at once or when the pause after the last ones is over.
func (a *activity) beat() {
	if a.phase != activityRunning {
		return
	}
	if due := a.recordedAt + a.beatPauseMs(); a.recordedAt > 0 && due > a.s.now() {
		a.recordAt = a.s.alarms.set(due, a.recordBeat)
		return
	}
	a.recordBeat()
}

// recordBeat records the newest details under the activity's lease, which it takes if it has none.
func (a *activity) recordBeat() {
	switch {
	case a.phase != activityRunning:
		return
	case a.token == "":
		a.beatWaits = true
		a.takeLease()
		return
	}
	a.beatWaits = false
	a.recordedAt = a.s.now()
	b, token := &a.s.leases, a.token
	a.s.propose("heartbeat", &persistence.RenewWork{
		Tokens: []persistence.Token{token}, TTLMs: b.work.TTLMs(), Heartbeats: [][]byte{a.call.takeDetails()},
	}, func(r persistence.Result, at int64) {
		switch {
		case r.Err == nil && r.Live[0]:
			b.work.Renewed(token, at)
		case r.Err != nil && transient(r.Err):
			a.retry(a.recordBeat)
		default:
			b.workLost(token)
		}
	})
}
