package turnstone

import (
	"errors"

	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/replay"
)

// attempt names one try of a call under a retry policy. The zero value is that of a call without one.
type attempt struct {
	number uint32 // from 1
	first  uint64 // the schedule event of the first attempt; 0 for that one itself
}

// retried runs attempts as a coroutine until one succeeds or the policy ends them.
func (c *Context) retried(what string, p RetryPolicy, schedule func(*replay.Context, attempt) *replay.Future) *replay.Future {
	env := c.env
	return c.rc.Go(func(rc *replay.Context) (any, error) {
		ctx := &Context{rc: rc, env: env}
		var last error
		for a := (attempt{number: 1}); ; a.number++ {
			f := schedule(rc, a)
			if limit, ok := p.Timeout(); ok && rc.Race(f, rc.Timer(limit)) == 1 {
				return nil, ErrActivityTimeout
			}
			v, err := f.Await()
			if err == nil {
				return v, nil
			}
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
			ctx.Logger().Warn("attempt failed, trying again", logkey.Operation, what, logkey.Attempts, a.number,
				logkey.MaxAttempts, p.MaxAttempts(), logkey.Error, loggable(err.Error()))
			ctx.pause(p, a.number)
		}
	})
}

// pause waits before the attempt after the one that failed.
func (c *Context) pause(p RetryPolicy, failed uint32) {
	d := p.Delay(int(failed))
	if p.backoff.jitter > 0 {
		d = p.backoff.jittered(d, c.Random())
	}
	if d > 0 {
		c.Sleep(d)
	}
}
