package partition

import (
	"context"
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// The timeouts of activities. The dispatcher watches those that wait, by the times in their rows. An activity that runs here
// watches itself, in elapsed time. What a timeout ends is answered like a result, so it costs no commit but the turn's that
// takes the failure; the fence of a result holds for it, too.

// errActivityTimedOut is why the context of an activity ends that a timeout of its call has ended.
var errActivityTimedOut = fmt.Errorf("the activity timed out: %w", context.DeadlineExceeded)

// expire records that the time of an activity was over before a consumer took it.
func (s *serving) expire(item persistence.WorkItem, kind persistence.ExpiryKind) {
	a := &activity{s: s, item: item, attempts: item.Attempts}
	cfg := &s.host.Config
	if item.Token != "" && item.Holder.Node == cfg.Node && item.Holder.Process == cfg.Process {
		a.token = item.Token // an orphan lease: no activity uses it
	}
	s.activities[item.Key] = a
	a.takeOutcome(a.timedOut(kind))
}

// watchTime sets the alarms of code that begins now. It returns the context that the code gets.
func (a *activity) watchTime(ctx context.Context) context.Context {
	d := &a.item.Deadlines
	now := a.s.now()
	if d.HeartbeatMs > 0 {
		a.beatAt = a.s.alarms.set(now+d.HeartbeatMs, a.checkBeat)
	}
	left, kind := d.StartToCloseMs, persistence.ExpiredStartToClose
	if whole, bounded := a.timeLeft(); bounded && (left == 0 || whole < left) {
		left, kind = whole, persistence.ExpiredScheduleToClose
	}
	if left == 0 {
		return ctx
	}
	a.timeoutAt = a.s.alarms.set(now+left, func() { a.timeUp(kind) })
	a.deadline = time.UnixMilli(clock.WallMs(a.s.host.Config.Clock) + left)
	return boundContext{ctx, a.deadline}
}

// timeLeft is what is left of the time of the whole call; ok is false if it is not bounded.
func (a *activity) timeLeft() (ms int64, ok bool) {
	at := a.item.Deadlines.ScheduleToCloseAtMs
	return at - clock.WallMs(a.s.host.Config.Clock), at > 0
}

// boundContext is a context with a deadline at which the partition ends it.
type boundContext struct {
	context.Context
	deadline time.Time
}

// Deadline implements context.Context.
func (c boundContext) Deadline() (time.Time, bool) { return c.deadline, true }

// timeUp ends an activity whose time is over. Its code is told to stop and keeps its slot until it has stopped or is given up;
// another activity value takes its place, its lease, and the failure to the instance.
func (a *activity) timeUp(kind persistence.ExpiryKind) {
	if a.phase != activityRunning {
		return
	}
	if a.leasing { // no result leaves before the answer to our own LeaseWork
		a.expired = kind
		return
	}
	s, key := a.s, a.item.Key
	heir := &activity{s: s, item: a.item, token: a.token, attempts: a.attempts, call: a.call}
	if a.token != "" {
		s.leases.holders[a.token] = heir
		a.token = ""
	}
	s.activities[key] = heir
	s.leaving = append(s.leaving, a)
	s.p.counts.timedOutActivities.Add(1)
	a.stop(errActivityTimedOut, s.host.Config.Grace.Milliseconds())
	heir.takeOutcome(heir.timedOut(kind))
}

// timedOut makes the failure of an activity that a timeout ended.
func (a *activity) timedOut(kind persistence.ExpiryKind) *activityOutcome {
	i := &a.item
	ms := func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
	var timeout turnpb.TimeoutKind
	var text string
	switch kind {
	case persistence.ExpiredStartToClose:
		timeout = turnpb.TimeoutKind_TIMEOUT_KIND_START_TO_CLOSE
		text = fmt.Sprintf("timeout: activity %s ran longer than its StartToClose of %v", i.Name, ms(i.Deadlines.StartToCloseMs))
	case persistence.ExpiredScheduleToStart:
		timeout = turnpb.TimeoutKind_TIMEOUT_KIND_SCHEDULE_TO_START
		text = fmt.Sprintf("timeout: no worker took activity %s within its ScheduleToStart", i.Name)
	case persistence.ExpiredHeartbeat:
		timeout = turnpb.TimeoutKind_TIMEOUT_KIND_HEARTBEAT
		text = fmt.Sprintf("timeout: activity %s gave no heartbeat for its HeartbeatTimeout of %v", i.Name, ms(i.Deadlines.HeartbeatMs))
	default:
		timeout = turnpb.TimeoutKind_TIMEOUT_KIND_SCHEDULE_TO_CLOSE
		text = fmt.Sprintf("timeout: activity %s did not end within its ScheduleToClose", i.Name)
	}
	last := i.Heartbeat
	if a.call != nil {
		last = a.call.latest()
	}
	return encodeActivityFailure(&i.Key, &turnpb.ActivityFailure{
		Failure: failure.ActivityTimeout(timeout, text), Timeout: timeout, LastHeartbeat: last,
	}, &a.s.host.Config.Limits)
}
