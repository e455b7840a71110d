package turnstone

import (
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// The kinds of the failures of activities that a timeout of their call ended. [ErrTimeout] matches all of them. A client or
// parent of an orchestration that returns such a failure finds an [Error] of the same kind.
const (
	KindStartToCloseTimeout    FailureKind = failure.StartToClose
	KindScheduleToStartTimeout FailureKind = failure.ScheduleToStart
	KindScheduleToCloseTimeout FailureKind = failure.ScheduleToClose
	KindHeartbeatTimeout       FailureKind = failure.Heartbeat
)

// TimeoutOption is what [StartToClose], [ScheduleToStart], [ScheduleToClose] and [HeartbeatTimeout] make. They may be used
// together, and with [WithRetry]. One that is not above 0 is an [ErrInvalidInput]. They are counted in milliseconds, rounded
// up.
type TimeoutOption struct {
	kind  turnpb.TimeoutKind
	bound time.Duration
}

// StartToClose bounds each attempt, from the moment when its code begins: its context has the deadline, ends there, and the
// attempt fails with [KindStartToCloseTimeout]. A retry policy tries it again. What the code returns later is dropped. A run
// that ends with its process is counted from its beginning again.
func StartToClose(d time.Duration) TimeoutOption {
	return TimeoutOption{turnpb.TimeoutKind_TIMEOUT_KIND_START_TO_CLOSE, d}
}

// ScheduleToStart bounds how long an attempt waits for a worker that takes it. It then fails with
// [KindScheduleToStartTimeout], which no retry policy tries again.
// A run that ends with its process before its lease is on disk, about a second after it began, counts as not begun: it may be
// ended so when the node is opened again, although its code ran.
func ScheduleToStart(d time.Duration) TimeoutOption {
	return TimeoutOption{turnpb.TimeoutKind_TIMEOUT_KIND_SCHEDULE_TO_START, d}
}

// ScheduleToClose bounds the whole call: all attempts of its retry policy, and the waits before and between them. The call
// fails with [KindScheduleToCloseTimeout] when the time is over, or as soon as no time is left for another attempt.
func ScheduleToClose(d time.Duration) TimeoutOption {
	return TimeoutOption{turnpb.TimeoutKind_TIMEOUT_KIND_SCHEDULE_TO_CLOSE, d}
}

// HeartbeatTimeout bounds the time between two calls of [ActivityContext.Heartbeat], and from the beginning of the code to the
// first one. The attempt then fails with [KindHeartbeatTimeout]. A retry policy tries it again.
func HeartbeatTimeout(d time.Duration) TimeoutOption {
	return TimeoutOption{turnpb.TimeoutKind_TIMEOUT_KIND_HEARTBEAT, d}
}

func (o TimeoutOption) activity(c *activityCall) {
	if o.bound <= 0 {
		c.err = fmt.Errorf("%w: the %s of the call is %v; it must be above 0, and leaving it out means no bound",
			ErrInvalidInput, failure.TimeoutName(o.kind), o.bound)
		return
	}
	if c.timeouts == nil {
		c.timeouts = &turnpb.ActivityTimeouts{}
	}
	ms := roundedUp(o.bound)
	switch o.kind {
	case turnpb.TimeoutKind_TIMEOUT_KIND_START_TO_CLOSE:
		c.timeouts.StartToCloseMs = ms
	case turnpb.TimeoutKind_TIMEOUT_KIND_SCHEDULE_TO_START:
		c.timeouts.ScheduleToStartMs = ms
	case turnpb.TimeoutKind_TIMEOUT_KIND_SCHEDULE_TO_CLOSE:
		c.timeouts.ScheduleToCloseMs = ms
	default:
		c.timeouts.HeartbeatMs = ms
	}
}

// timeoutsOf are the bounds of an attempt: those of its call, with what is left of the call's time.
func (c *activityCall) timeoutsOf(a attempt) *turnpb.ActivityTimeouts {
	if c.timeouts.GetScheduleToCloseMs() == 0 || a.number == 1 {
		return c.timeouts
	}
	return &turnpb.ActivityTimeouts{
		StartToCloseMs: c.timeouts.StartToCloseMs, ScheduleToStartMs: c.timeouts.ScheduleToStartMs,
		ScheduleToCloseMs: a.leftMs, HeartbeatMs: c.timeouts.HeartbeatMs,
	}
}

// timedOut makes the failure of a timeout as the code sees it.
func timedOut(kind turnpb.TimeoutKind, codec Codec, text string) *Failure {
	f := newFailure(failure.ActivityTimeout(kind, text), codec)
	f.Kind = FailureKind(failure.TimeoutName(kind))
	return f
}
