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

// A panic of the actor may leave its step machine half changed. So the actor drops the machine. It answers each sender that
// waits with ErrUncertain, waits for the answers that are on their way, and then reads the instance anew.

// PanicsMax is how many times in a row an actor may panic without a commit in between. After one more it leaves.
const PanicsMax = 3

// waitMax is how long the actor waits for answers that are on their way, beyond the time that a turn may take. It cannot wait
// for ever: the panic may have come between the count of a request and the request, and then no answer comes.
const waitMax = 10 * time.Second

// recoveryOverdueMsg says that the time to wait for answers is over.
type recoveryOverdueMsg struct{}

var recoveryOverdue = &recoveryOverdueMsg{}

// recover goes on after a restart of the actor. failed is the message whose handling panicked. If recover itself panics, it is
// called again and goes on after the step that failed, because each step unlinks a thing before it touches it.
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
	s.carryover.Handling = step.Late // if goOn panics, the failed message must not be dealt with again
	s.goOn()
}

// dropCore replaces the step machine by its successor, and returns the replay machines that the old one had, to be unwound. A
// replay machine that is in a slot is not among them: it comes back with its turn.
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

// dropWaiting keeps the failed message for the next step machine if the dispatcher or an operator sent it. It drops arrivals
// that wait, because recover answers their senders.
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

// postpone takes a message while the step machine is lost. Tells of the dispatcher and messages of senders wait. It gives back
// what an answer brings: a coroutine, an admission or memory.
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

// unwind closes a replay machine that no step machine has any more.
func (s *instance) unwind(m *replay.Machine) {
	s.outstanding++
	s.host.unwind(m, func() { s.Send(step.Late) })
}

// goOn ends the recovery when no answer is on its way any more: the actor steps again. An actor that has panicked too often
// leaves instead, and the next message starts a new one. When the engine stops, goOn does not wait for answers, because the
// panic may have left their count wrong.
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

// giveUp answers all senders that wait, and asks to leave. If a message is on its way to the actor, the activator refuses, and
// that message calls giveUp again.
func (s *instance) giveUp() {
	s.recoveryTimer.Stop()
	s.waiting = nil
	first := !s.givenUp
	s.givenUp = true
	s.answerAll(fmt.Errorf("%w: the instance's actor has failed and is given up; see the log", persistence.ErrUncertain))
	if first {
		s.host.Config.Logger.Error("an instance's actor has failed and is given up; the instance is safe in the journal, and its next message starts a new actor",
			logkey.Instance, s.id, logkey.Failures, s.failed)
	}
	s.host.Engine.Idle(s.id, s.pid, s.carryover.Received)
}
