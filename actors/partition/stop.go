package partition

import (
	"cmp"
	"errors"
	"slices"

	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
)

// sortedActivities lists the activities in slots, in the order of their keys, so that equal histories act alike. Those that
// have timed out come last, in the order in which they did.
func (s *serving) sortedActivities() []*activity {
	list := make([]*activity, 0, len(s.activities))
	for _, a := range s.activities {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *activity) int {
		return a.item.Key.Compare(b.item.Key)
	})
	return append(list, s.leaving...)
}

// stop ends the epoch: no work is granted any more, running activities are told to stop and waited for, the others are given
// back, and the epoch is recorded as cleanly ended.
func (s *serving) stop() {
	s.stopping = true
	s.stopActivities(nil)
	deadline := s.now() + s.host.Config.Drain.Milliseconds()
	s.alarms.set(deadline+1, func() { s.endEpoch() }) // after the last activity has been given up
}

// endEpoch proposes the end, once.
func (s *serving) endEpoch() {
	if s.ending {
		return
	}
	s.ending = true
	var propose func()
	propose = func() {
		s.propose("epoch ended", persistence.EndEpoch{}, func(r persistence.Result, _ int64) {
			if r.Err != nil && transient(r.Err) {
				s.alarms.set(s.now()+retryPauseMs, propose)
				return
			}
			if r.Err != nil {
				r.Err = s.p.error("end the epoch", r.Err)
			}
			s.p.end(r.Err)
		})
	}
	propose()
}

// checkEpoch reads whether the epoch is still the newest after the journal refused a command with Fenced. The refused
// command may also belong to an older epoch of this process.
func (s *serving) checkEpoch(err error) {
	if !errors.Is(err, persistence.ErrFenced) || s.checking {
		return
	}
	s.checking = true
	var state persistence.PartitionState
	s.host.Journal.View(s.p.id, func(r persistence.Reader) (err error) {
		state, err = r.Partition()
		return err
	}, func(err error) {
		s.post("epoch checked", func() {
			s.checking = false
			if err == nil && state.Epoch != s.epoch {
				s.fenced()
			}
		})
	})
}

// fenced ends the serving: another process has begun a newer epoch, and its dispatcher grants all work from now on. This
// partition opens no new epoch, or the two processes would fence each other for ever.
func (s *serving) fenced() {
	s.host.Config.Logger.Error("another process has begun a newer epoch; this one no longer serves the partition",
		logkey.Partition, s.p.id, logkey.Epoch, s.epoch)
	s.p.counts.fencedPartitions.Add(1)
	s.p.drop()
	if s.stopping {
		s.p.end(s.p.error("end the epoch", persistence.ErrFenced))
	}
}

// close drops the state of the epoch without writing anything: the epoch has ended, or its state cannot be trusted.
func (s *serving) close(why error) {
	s.ended = true
	s.watchClock(false)
	if s.timer != nil {
		s.timer.Stop()
	}
	for _, a := range s.sortedActivities() {
		running := a.phase == activityRunning || a.phase == activityStopping
		if running {
			a.cancel(why)
			s.p.counts.leakedActivities.Add(1) // until it ends
		}
		a.close()
	}
	s.suspects.end()
	for _, w := range s.leases.sortedWatches() {
		if !w.stopped.Load() {
			w.lost()
		}
	}
}

// sortedWatches lists the turn leases in the order of their tokens.
func (b *leaseBook) sortedWatches() []*turnWatch {
	list := make([]*turnWatch, 0, len(b.watches))
	for _, w := range b.watches {
		list = append(list, w)
	}
	slices.SortFunc(list, func(x, y *turnWatch) int { return cmp.Compare(x.token, y.token) })
	return list
}
