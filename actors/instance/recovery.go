package instance

import (
	"fmt"
	"slices"

	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// A panic of the actor may leave its step machine half changed. So the machine is dropped: each sender that waits is told
// that what became of its message is uncertain, what is on its way is waited for, and then the instance is read anew.

// PanicsMax is how often in a row an actor may fail, without a commit in between, before it does not go on by itself.
const PanicsMax = 3

// recover goes on after a restart. failed is the message whose handling panicked. If recover panics itself, it is called
// again, and goes on behind the step that failed: each step unlinks a thing before it touches it.
func (s *instance) recover(failed any) {
	s.failed++
	var open []*replay.Machine
	if !s.lost {
		s.lost = true
		open = s.dropCore(failed)
	}
	s.dropWaiting(failed)
	s.answerAll(fmt.Errorf("%w: the instance's actor failed; see the log", persistence.ErrUncertain))
	s.endCareful()
	s.unpark()
	s.giveBack(s.charge)
	s.disarm(s.pausing.tick)
	s.disarm(s.later.tick)
	s.leaveTry()
	if s.acceptTimer != nil {
		s.withdrawAcceptTimer()
	}
	for _, m := range open {
		s.unwind(m)
	}
	s.carryover.Handling = late // what failed has been dealt with
	s.goOn()
}

// dropCore begins a new step machine, which remembers what the dispatcher has told and knows nothing else. It returns the
// coroutines that the old one had. One that is in a slot comes back as a message.
func (s *instance) dropCore(failed any) (open []*replay.Machine) {
	old := &s.core
	next := core{
		host: old.host, id: old.id, told: old.told, hint: old.hint, acknowledged: old.acknowledged,
		fresh: old.fresh, freshest: old.freshest,
	}
	for _, key := range old.view.due {
		next.view.timerDue(key)
	}
	next.news.add()
	add := func(m *replay.Machine) {
		runs := s.running != nil && !s.running.fresh && s.running.machine == m
		if m != nil && !runs && !m.Ended() && !slices.Contains(open, m) {
			open = append(open, m)
		}
	}
	add(old.machine)
	if t := old.turn; t != nil {
		for _, key := range t.timers {
			next.view.timerDue(key)
		}
		if t != s.running {
			add(t.machine)
		}
	}
	switch m := failed.(type) {
	case *turnMsg:
		if !m.abandoned {
			add(m.turn.machine)
		}
	case *commitMsg:
		add(m.turn.machine)
	}
	s.core = next
	return open
}

// dropWaiting has what the dispatcher tells wait for the next step machine. What senders have brought is answered instead.
func (s *instance) dropWaiting(failed any) {
	switch m := failed.(type) {
	case *nudgeMsg, *pendingMsg, *timerMsg, *retryMsg, *Moved, *Freed:
		s.waiting = append(s.waiting, m)
	}
	s.waiting = slices.DeleteFunc(s.waiting, func(m any) bool {
		_, is := m.(*arrival)
		return is
	})
}

// postpone takes a message while there is no step machine: what the dispatcher tells and what senders bring waits, and what
// an answer brings is given back.
func (s *instance) postpone(msg any) {
	switch m := msg.(type) {
	case *arrival, *nudgeMsg, *pendingMsg, *timerMsg, *retryMsg, *wakeMsg, *Moved, *Freed:
		s.waiting = append(s.waiting, m)
	case *turnMsg:
		if !m.abandoned && m.turn.machine != nil && !m.turn.machine.Ended() {
			s.unwind(m.turn.machine)
		}
	case *admitMsg:
		s.endCareful()
	case *memoryMsg, *loadMsg:
		s.giveBack(s.charge)
	}
	s.goOn()
}

// unwind closes a coroutine that no step machine has any more.
func (s *instance) unwind(m *replay.Machine) {
	s.outstanding++
	s.host.unwind(m, func() { s.send(late) })
}

// goOn begins again when nothing is on its way any more. An actor that fails again and again leaves instead, and the next
// message begins a new one. A stop does not rely on the count, which a failure may have left wrong.
func (s *instance) goOn() {
	switch stops := s.host.Draining.Load(); {
	case s.outstanding > 0 && !stops:
		return
	case s.outstanding > 0, s.failed > PanicsMax:
		s.giveUp()
		return
	}
	s.lost = false
	s.step(Wake)
	for len(s.waiting) > 0 && !s.lost {
		m := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.step(m)
	}
}

// giveUp answers what waits, and leaves unless a message is on its way: then it is called again.
func (s *instance) giveUp() {
	s.waiting = nil
	s.answerAll(fmt.Errorf("%w: the instance's actor fails again and again; see the log", persistence.ErrUncertain))
	s.host.Config.Logger.Error("an instance's actor fails again and again and is given up; the journal has the instance",
		logkey.Instance, s.id, logkey.Failures, s.failed)
	s.host.Engine.Idle(s.id, s.pid, s.carryover.Received)
}
