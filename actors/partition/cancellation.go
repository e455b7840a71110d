package partition

import (
	"errors"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/internal/logkey"
)

// The cancellation supervisor of one partition. It tells an activity to stop when its row is deleted, its lease is lost or
// its consumer leaves, waits for the grace period, and then gives the activity up. Go cannot stop a goroutine: the slot is
// released, the result is refused, and the leak is counted and logged.

// Why an activity is told to stop; context.Cause of its context.
var (
	ErrActivityCancelled = errors.New("the activity was cancelled")
	ErrActivityLeaseLost = errors.New("the activity's lease is lost")
	ErrActivityShutdown  = errors.New("the worker is shutting down")
)

// rowDeleted says that the activity's row is gone: it was cancelled, or its result has been recorded.
func (a *activity) rowDeleted() {
	switch a.phase {
	case activityRunning:
		a.s.p.counts.cancelledActivities.Add(1)
		a.stop(ErrActivityCancelled, a.s.host.Config.Grace.Milliseconds())
	case activityStopping:
		a.stopCause = ErrActivityCancelled // also if it was told to stop for another cause: its result is void now
	default:
		a.close()
	}
}

// leaseLost stops the activity because its lease is lost: another process has leased the activity, or may have leased it.
func (a *activity) leaseLost() {
	switch a.phase {
	case activityRunning:
		a.stop(ErrActivityLeaseLost, a.s.host.Config.Grace.Milliseconds())
	case activityStopping, activityOver:
	case activityAnswering: // the journal decides about the result, and answers
	default:
		a.stopCause = ErrActivityLeaseLost
		a.putBack(0)
	}
}

// stop cancels the context of code that runs, and gives the code time to end.
func (a *activity) stop(why error, graceMs int64) {
	a.phase, a.stopCause = activityStopping, why
	a.cancelAlarms()
	a.cancel(why)
	a.graceEnd = a.s.alarms.set(a.s.now()+graceMs, a.abandon)
}

// abandon gives up code that did not end in time.
func (a *activity) abandon() {
	if a.phase != activityStopping {
		return
	}
	a.s.p.counts.leakedActivities.Add(1)
	a.s.p.counts.abandonedActivities.Add(1)
	if a.stopCause == ErrActivityShutdown {
		a.c.GiveUp() // the consumer reports it once, when it has stopped
		a.putBack(0)
		return
	}
	a.s.host.Config.Logger.Warn("an activity did not stop in time and is given up: its goroutine is leaked until it returns",
		logkey.Instance, a.item.ID, logkey.Activity, a.item.Name, logkey.ActivityID, a.item.Key.Event, logkey.Reason, a.stopCause)
	if a.stopCause == ErrActivityCancelled || a.stopCause == errActivityTimedOut {
		a.close()
		return
	}
	a.putBack(0)
}

// stopActivities tells the activities of a consumer (nil: of all) to stop, because it leaves. Those that have not begun
// are given back.
func (s *serving) stopActivities(c *consumer.Attached) {
	for _, a := range s.sortedActivities() {
		if c != nil && a.c != c {
			continue
		}
		switch a.phase {
		case activityRunning:
			a.stop(ErrActivityShutdown, a.s.host.Config.Drain.Milliseconds())
		case activityLeasing, activityReading:
			a.putBack(0)
		case activityAnswering:
			if !a.leasing {
				a.answer() // at once, instead of after the pause before a repetition
			}
		}
	}
}
