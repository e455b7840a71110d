package partition

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/internal/system"
	"github.com/turnstone-dev/turnstone/persistence"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// backOff gives back work whose handler no attached consumer has. The attempt counts, and the delay grows with each one.
// This is the backoff supervisor of one partition; the row and the dispatcher keep the time until which the work waits.
func (s *serving) backOff(now int64, a dispatch.Action) {
	w := a.Work
	s.p.counts.unregisteredActivities.Add(1)
	if s.host.Unknown.IsNew(now, "activity "+w.Name, s.host.Config.BackoffMax.Milliseconds()) {
		s.host.Config.Logger.Warn("no attached runtime has this activity; it is tried again later", logkey.Activity, w.Name,
			logkey.Instance, w.ID, logkey.Attempts, w.Attempts+1, logkey.Backoff, float64(a.DelayMs)/1000)
	}
	s.abandonWork(&persistence.AbandonWork{Key: w.Key, Attempts: w.Attempts, DelayMs: a.DelayMs, Counts: true}, 0)
}

// backoffMs returns how long work waits after its attempt-th attempt.
func (s *serving) backoffMs(attempt uint32) int64 {
	return dispatch.BackoffMs(s.host.Config.BackoffBase.Milliseconds(), s.host.Config.BackoffMax.Milliseconds(), attempt)
}

// abandonWork gives work back to the journal, and then to the dispatcher, which does not grant it before notBefore.
func (s *serving) abandonWork(c *persistence.AbandonWork, notBefore int64) {
	s.propose("work given back", c, func(r persistence.Result, _ int64) {
		s.checkEpoch(r.Err)
		if r.Err == nil || !transient(r.Err) {
			// Refused: the row has changed, and an effect brings the change.
			if r.Err != nil {
				notBefore = max(notBefore, s.now()+refusedPauseMs)
			}
			s.d.Release(s.now(), c.Key, notBefore)
			return
		}
		s.alarms.set(s.now()+retryPauseMaxMs, func() { s.abandonWork(c, notBefore) })
	})
}

// poison records that an activity was attempted too often. Its code does not run.
func (s *serving) poison(item persistence.WorkItem) {
	s.p.counts.poisonedActivities.Add(1)
	about := []any{logkey.Instance, item.ID, logkey.Activity, item.Name, logkey.ActivityID, item.Key.Event,
		logkey.Attempts, item.Attempts + 1, logkey.MaxAttempts, s.host.Config.MaxAttempts}
	missing := s.missing(item.Name)
	if missing != "" {
		about = append(about, logkey.Reason, missing)
	}
	s.host.Config.Logger.Error("an activity is given up and recorded as poison", about...)
	a := &activity{s: s, item: item, attempts: item.Attempts}
	s.activities[item.Key] = a
	a.takeOutcome(encodeFailure(&item.Key, poisonFailure(&item, s.host.Config.MaxAttempts, missing), &s.host.Config.Limits))
}

// answered takes the instance's answer to a result.
func (a *activity) answered(err error) {
	if a.phase != activityAnswering {
		return // its row was deleted meanwhile
	}
	a.sent = false
	a.s.checkEpoch(err)
	switch {
	case err == nil, errors.Is(err, persistence.ErrNotFound):
		a.close()
	case errors.Is(err, persistence.ErrStopped):
		a.close() // the journal has stopped; the next process reads in the row whether the result was recorded
	case transient(err), errors.Is(err, persistence.ErrUncertain):
		// Uncertain: the instance's actor failed, or the journal is about to stop. A result may be sent twice: if the first
		// one was recorded, the row no longer exists, and the answer is NotFound.
		a.retry(a.answer)
	default: // LeaseLost, Fenced
		a.void()
	}
}

// void drops a result, because another process has leased the activity, or may have leased it.
func (a *activity) void() {
	a.s.p.counts.voidResults.Add(1)
	a.stopCause = ErrActivityLeaseLost
	a.putBack(a.s.now() + refusedPauseMs)
}

// missing is why an activity cannot run that no attached runtime has; empty if one has it.
func (s *serving) missing(name string) string {
	has := func(c *consumer.Attached) bool { return c != s.builtin && c.ActivitySlots > 0 && c.Handles(name) }
	if name == system.GetKV || slices.ContainsFunc(s.consumers, has) {
		return ""
	}
	return failure.NotRegistered("activity " + name)
}

// poisonFailure returns the failure of an activity that was attempted too often. reason is why its code did not run at last,
// if no runtime has it.
func poisonFailure(item *persistence.WorkItem, attemptsMax uint32, reason string) *turnpb.Failure {
	text, err := json.Marshal(struct {
		Instance  string `json:"instance"`
		Execution uint64 `json:"execution"`
		Activity  string `json:"activity"`
		Event     uint64 `json:"event"`
		Reason    string `json:"reason,omitempty"`
	}{item.ID, item.Key.Execution, item.Name, item.Key.Event, reason})
	if err != nil {
		text = []byte(item.Name) // texts and numbers always encode
	}
	return failure.PoisonActivity(item.ID, item.Key.Execution, item.Name, item.Key.Event, item.Attempts+1, attemptsMax, string(text))
}
