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
	if !s.lost {
		s.lost = true
		s.dropCore(failed)
		s.waitForAnswers()
	}
	s.dropWaiting(failed)
	s.answerAll(fmt.Errorf("%w: the instance's actor failed; see the log", persistence.ErrUncertain))
	s.unpark()
	s.giveBack(s.charge)
	s.disarm(s.pausing.tick)
	s.disarm(s.later.tick)
	s.leaveTry()
	s.callOffRequest()
	if s.acceptTimer != nil {
		s.withdrawAcceptTimer()
	}
	for len(s.unwinds) > 0 {
		m := s.unwinds[0]
		s.unwinds = s.unwinds[1:]
		s.unwind(m)
	}
	s.carryover.Handling = step.Late // if goOn panics, the failed message must not be dealt with again
	s.goOn()
}

// waitForAnswers has recoveryOverdue sent when the time to wait for answers is over.
func (s *instance) waitForAnswers() {
	s.recoveryTimer = s.host.Config.Clock.AfterFunc(s.host.Config.WatchdogAbandon+waitMax, func() { s.Send(recoveryOverdue) })
}

// overdueNow gives the instance up, unless its turn or query waits for a slot or runs there: both always come back.
func (s *instance) overdueNow() {
	if (s.running != nil || s.asking != nil) && !s.handing {
		s.waitForAnswers()
		return
	}
	s.giveUp()
}

// callOffRequest stops waiting for an answer that may take long.
func (s *instance) callOffRequest() {
	if r := s.request; r != nil {
		s.request = nil
		s.calledOff(r.callOff())
	}
}

// dropCore replaces the step machine by its successor, and notes the replay machines that the old one had: they are to be
// unwound. A replay machine that is in a slot is not among them: it comes back with its turn.
func (s *instance) dropCore(failed any) {
	candidates := s.core.Coroutines(s.running, s.asking)
	if s.effects != nil {
		for _, e := range (*s.effects)[s.done:] {
			candidates = append(candidates, e.Machine)
		}
		s.effects = nil
	}
	switch m := failed.(type) {
	case *turn.Back:
		if !m.Abandoned {
			candidates = append(candidates, m.Turn.Machine)
		}
	case *turn.Committed:
		candidates = append(candidates, m.Turn.Machine)
	case *turn.Asked:
		if !m.Abandoned {
			candidates = append(candidates, m.Query.Machine)
		}
	}
	for _, m := range candidates {
		runs := s.running != nil && !s.running.Fresh && s.running.Machine == m
		if m != nil && !runs && !slices.Contains(s.unwinds, m) {
			s.unwinds = append(s.unwinds, m)
		}
	}
	s.core = s.core.Successor()
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
		if !m.Abandoned && m.Turn.Machine != nil {
			s.unwind(m.Turn.Machine)
		}
	case *turn.Asked:
		if !m.Abandoned && m.Query.Machine != nil {
			s.unwind(m.Query.Machine)
		}
	case *step.MemoryMsg, *view.Load:
		s.giveBack(s.charge)
	}
	s.goOn()
}

// unwind closes a replay machine that no step machine has any more.
func (s *instance) unwind(m *replay.Machine) {
	s.outstanding++
	s.unwinding++
	s.host.unwind(m, func() { s.Send(unwound) })
}

// unwoundMsg says that the recovery need not wait any longer for a replay machine to be closed.
type unwoundMsg struct{}

var unwound = &unwoundMsg{}

// goOn ends the recovery when no answer is on its way any more: the actor steps again. An actor that has panicked too often
// leaves instead, and the next message starts a new one. When the engine stops, goOn waits for a turn that is in its slot and
// for replay machines to be closed, and for no other answer, because the panic may have left their count wrong.
func (s *instance) goOn() {
	stops := s.host.Draining.Load() && s.running == nil && s.asking == nil && s.unwinding == 0
	switch {
	case s.givenUp, s.leaving: // it may have left the activator's table already, so it must not begin anything
		s.giveUp()
		return
	case s.outstanding > 0 && !stops:
		return
	case s.outstanding > 0, s.failed > PanicsMax:
		s.giveUp()
		return
	}
	s.recoveryTimer.Stop()
	s.endCareful() // not before: code of a suspect may have run until now
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
	first := !s.givenUp
	s.givenUp = true // first: if what follows panics, giveUp is called again
	s.recoveryTimer.Stop()
	s.endCareful()
	s.waiting = nil
	s.answerAll(fmt.Errorf("%w: the instance's actor has failed and is given up; see the log", persistence.ErrUncertain))
	if first {
		s.host.Config.Logger.Error("an instance's actor has failed and is given up; the instance is safe in the journal, and its next message starts a new actor",
			logkey.Instance, s.id, logkey.Failures, s.failed)
	}
	s.leave()
}
