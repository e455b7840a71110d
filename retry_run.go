package turnstone

import (
	"errors"
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	turnpb "github.com/turnstone-dev/turnstone/proto"
	"github.com/turnstone-dev/turnstone/replay"
)

// attempt names one try of a call under a retry policy. The zero value is that of a call without one.
type attempt struct {
	number    uint32 // from 1
	first     uint64 // the schedule event of the first attempt; 0 for that one itself
	heartbeat []byte // the details of the last heartbeat of the attempt before; nil: there were none
	leftMs    int64  // of the call's ScheduleToClose, if it has one
}

// retries is how a call is tried again.
type retries struct {
	what              string
	policy            RetryPolicy
	scheduleToCloseMs int64 // 0: no bound
}

// retried runs attempts as a coroutine until one succeeds or the policy ends them.
func (c *Context) retried(r retries, schedule func(*replay.Context, attempt) *replay.Future) *replay.Future {
	env, p := c.env, r.policy
	return c.rc.Go(func(rc *replay.Context) (any, error) {
		ctx := &Context{rc: rc, env: env}
		began := ctx.Now()
		var last error
		for a := (attempt{number: 1}); ; a.number++ {
			passed := ctx.Now().Sub(began)
			if last != nil { // the wait may have been longer than planned
				if over := r.over(env.codec, passed, last); over != nil {
					return nil, over
				}
			}
			a.leftMs = r.scheduleToCloseMs - passed.Milliseconds()
			f := schedule(rc, a)
			if limit, ok := p.RaceTimeout(); ok && rc.Race(f, rc.Timer(limit)) == 1 {
				return nil, ErrActivityTimeout
			}
			v, err := f.Await()
			if err == nil {
				return v, nil
			}
			a.heartbeat = heartbeatOf(err)
			err = seen(env.codec, err)
			if last != nil && errors.Is(err, ErrAlreadyExists) {
				return nil, last // another instance has the id of this attempt; what failed is the one before
			}
			if int64(a.number) >= int64(p.MaxAttempts()) || p.final(err) {
				return nil, err
			}
			if a.first == 0 {
				a.first = f.Event()
			}
			last = err
			pause := ctx.pause(p, a.number)
			if over := r.over(env.codec, ctx.Now().Add(pause).Sub(began), err); over != nil {
				return nil, over
			}
			ctx.Logger().Warn("attempt failed, trying again", logkey.Operation, r.what, logkey.Attempts, a.number,
				logkey.MaxAttempts, p.MaxAttempts(), logkey.Error, loggable(err.Error()))
			if pause > 0 {
				ctx.Sleep(pause)
			}
		}
	})
}

// heartbeatOf are the details of the last heartbeat of an attempt that failed.
func heartbeatOf(err error) []byte {
	if recorded, ok := err.(*failure.Error); ok {
		return recorded.LastHeartbeat
	}
	return nil
}

// over says what the call fails with if the next attempt, which would begin so long after the first one, has no time left.
// failed is the error of the attempt before.
func (r *retries) over(codec Codec, after time.Duration, failed error) error {
	if total, ok := r.policy.TotalTime(); ok && after >= total {
		return failed
	}
	if bound := r.scheduleToCloseMs; bound > 0 && after.Milliseconds() >= bound {
		return timedOut(turnpb.TimeoutKind_TIMEOUT_KIND_SCHEDULE_TO_CLOSE, codec, fmt.Sprintf(
			"timeout: the ScheduleToClose of %s, %v, leaves no time for another attempt after: %v",
			r.what, time.Duration(bound)*time.Millisecond, failed))
	}
	return nil
}

// pause is how long to wait before the attempt after the one that failed.
func (c *Context) pause(p RetryPolicy, failed uint32) time.Duration {
	d := p.Delay(int(failed))
	if p.backoff.jitter > 0 {
		d = p.backoff.jittered(d, c.Random())
	}
	return d
}
