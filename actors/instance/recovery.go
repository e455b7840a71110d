package instance

import (
	"fmt"
	"slices"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// A panic of the actor may leave its step machine half changed. So the machine is dropped: each sender that waits is told
// that what became of its message is uncertain, what is on its way is waited for, and then the instance is read anew.

// PanicsMax is how often in a row an actor may fail, without a commit in between, before it does not go on by itself.
const PanicsMax = 3

// waitMax is how long what is on its way is waited for, beyond the time that a turn may take. A panic may have kept a
// request from being made after it was counted, so its answer may never come.
const waitMax = 10 * time.Second

// recoveryOverdueMsg says that this time is over.
type recoveryOverdueMsg struct{}

var recoveryOverdue = &recoveryOverdueMsg{}

// recover goes on after a restart. failed is the message whose handling panicked. If recover panics itself, it is called
// again, and goes on behind the step that failed: each step unlinks a thing before it touches it.
func (s *instance) recover(failed any) {
	s.failed++
	var open []*replay.Machine
	if !s.lost {
		s.lost = true
		open = s.dropCore(failed)
		s.recoveryTimer = s.host.Config.Clock.AfterFunc(s.host.Config.WatchdogAbandon+waitMax, func() { s.Send(recoveryOverdue) })
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
	s.carryover.Handling = step.Late // what failed has been dealt with
	s.goOn()
}

// dropCore begins a new step machine, and returns the coroutines that the old one had. One that is in a slot comes back as a
// message.
func (s *instance) dropCore(failed any) (open []*replay.Machine) {
	candidates := s.core.Coroutines(s.running)
	switch m := failed.(type) {
	case *turn.Back:
		if !m.Abandoned {
			candidates = append(candidates, m.Turn.Machine)
		}
	case *turn.Committed:
		candidates = append(candidates, m.Turn.Machine)
	}
	for _, m := range candidates {
		runs := s.running != nil && !s.running.Fresh && s.running.Machine == m
		if m != nil && !runs && !m.Ended() && !slices.Contains(open, m) {
			open = append(open, m)
		}
	}
	s.core = s.core.Successor()
	return open
}

// dropWaiting has what the dispatcher tells wait for the next step machine. What senders have brought is answered instead.
func (s *instance) dropWaiting(failed any) {
	switch m := failed.(type) {
	case *step.NudgeMsg, *step.PendingMsg, *step.TimerMsg, *step.RetryMsg, *step.Moved, *step.Freed:
		s.waiting = append(s.waiting, m)
	}
	s.waiting = slices.DeleteFunc(s.waiting, func(m any) bool {
		_, is := m.(*arrival.Arrival)
		return is
	})
}

// postpone takes a message while there is no step machine: what the dispatcher tells and what senders bring waits, and what
// an answer brings is given back.
func (s *instance) postpone(msg any) {
	switch m := msg.(type) {
	case *arrival.Arrival, *step.NudgeMsg, *step.PendingMsg, *step.TimerMsg, *step.RetryMsg, *step.WakeMsg, *step.Moved, *step.Freed:
		s.waiting = append(s.waiting, m)
	case *turn.Back:
		if !m.Abandoned && m.Turn.Machine != nil && !m.Turn.Machine.Ended() {
			s.unwind(m.Turn.Machine)
		}
	case *step.AdmitMsg:
		s.endCareful()
	case *step.MemoryMsg, *view.Load:
		s.giveBack(s.charge)
	}
	s.goOn()
}

// unwind closes a coroutine that no step machine has any more.
func (s *instance) unwind(m *replay.Machine) {
	s.outstanding++
	s.host.unwind(m, func() { s.Send(step.Late) })
}

// goOn begins again when nothing is on its way any more. An actor that fails again and again leaves instead, and the next
// message begins a new one. A stop does not rely on the count, which a failure may have left wrong, and waits for nothing.
func (s *instance) goOn() {
	switch stops := s.host.Draining.Load(); {
	case s.givenUp:
		s.giveUp()
		return
	case s.outstanding > 0 && !stops:
		return
	case s.outstanding > 0, s.failed > PanicsMax:
		s.giveUp()
		return
	}
	s.recoveryTimer.Stop()
	s.lost = false
	s.step(step.Wake)
	for len(s.waiting) > 0 && !s.lost {
		m := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.step(m)
	}
}

// giveUp answers what waits, and leaves unless a message is on its way: then it is called again.
func (s *instance) giveUp() {
	s.recoveryTimer.Stop()
	s.waiting = nil
	first := !s.givenUp
	s.givenUp = true
	s.answerAll(fmt.Errorf("%w: the instance's actor has failed and is given up; see the log", persistence.ErrUncertain))
	if first {
		s.host.Config.Logger.Error("an instance's actor has failed and is given up; the journal has the instance, and its next message begins anew",
			logkey.Instance, s.id, logkey.Failures, s.failed)
	}
	s.host.Engine.Idle(s.id, s.pid, s.carryover.Received)
}
