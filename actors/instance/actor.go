package instance

import (
	"sync"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/actors/internal/mailbox"
	"github.com/turnstone-dev/turnstone/internal/clock"
	"github.com/turnstone-dev/turnstone/internal/failpoint"
	"github.com/turnstone-dev/turnstone/internal/invariants"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// instance is the actor of one orchestration instance: the shell of its step machine. It hands each message to the machine and
// carries out the effects. It lives in the Carryover, so it outlives a restart of its actor. Only the actor's own run touches
// its fields, except where a field says otherwise.
type instance struct {
	host      *Host
	id        string
	p         persistence.Partition
	part      Partition
	carryover *mailbox.Carryover
	pid       *actor.PID // set once, before the first request; answers read it from other goroutines

	core step.Machine

	// unanswered are the messages whose senders wait for an answer, in no order.
	unanswered []*arrival.Arrival
	// outstanding counts the answers that are on their way to the PID. The instance leaves only when it is 0.
	outstanding int
	acceptTimer *acceptTimer
	place       Place       // in the residency's list
	charge      int64       // bytes that it has taken from the memory budget; 0 while it has a place
	request     *request    // whose answer is on its way, and brings memory or an admission
	tryWait     *tryWait    // its place in the queue of held instances that wait for a try
	running     *turn.Turn  // the turn that runs in a slot, or on a goroutine without one
	asking      *turn.Query // the query that runs in a slot
	pausing     ticker
	later       ticker
	// stopLease ends the renewal of the turn lease; releaseSuspect lets the next suspect run. Both may be nil.
	stopLease      func()
	releaseSuspect func()
	// waiting has the messages that have come since the step machine was lost.
	waiting []any
	// effects are those of the present step, and done says how many have been carried out: after a panic, what the others
	// bring is given back.
	effects       *step.Effects
	done          int
	unwinds       []*replay.Machine // to be unwound by the recovery
	recoveryTimer clock.Timer       // ends the wait for answers that are on their way
	unwinding     int               // replay machines that the recovery closes
	failed        int               // panics since the last commit
	evicting      bool              // an eviction has taken the place, and its message is on its way
	overdue       bool              // an answer may come that nothing waits for any more
	givenUp       bool              // the actor has been given up after its panics, and leaves
	leaving       bool              // it asks to leave: a panic now leaves open whether it has left
	handing       bool              // a turn is being handed to its slot
	lost          bool              // a panic has lost the step machine; see recovery.go
}

// ticker is a timer that runs, and the message that it sends.
type ticker struct {
	tick  *step.TickMsg
	timer clock.Timer
}

// NewActor returns the actor of an id. After a restart it returns the one that the Carryover has.
func NewActor(host *Host, id string, c *mailbox.Carryover) actor.Actor {
	s, ok := c.State.(*instance)
	if !ok {
		s = &instance{host: host, id: id, p: host.Journal.PartitionOf(id), carryover: c}
		s.part = host.Engine.Partition(s.p)
		s.core = step.New(&host.Shared, id)
		c.State = s
	}
	return s
}

// Receive implements actor.Actor.
func (s *instance) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		if s.pid == nil { // a restart keeps the PID, and other goroutines read it, so it is not written again
			s.pid = c.Self()
		}
		if failed := s.carryover.Handling; failed != nil {
			s.recover(failed)
			s.carryover.Handled()
		}
	case *mailbox.Leave:
		s.host.Counts.Passivations.Add(1)
		c.Stop(c.Self())
		s.host.Engine.Left()
	case actor.AutoReceiveMessage, actor.SystemMessage:
	case *recoveryOverdueMsg:
		if s.lost {
			s.carryover.Handling = m
			s.overdueNow()
			s.carryover.Handled()
		}
	default:
		s.carryover.Handling = m
		if m = s.count(m); s.lost {
			s.postpone(m)
		} else {
			s.step(m)
		}
		s.carryover.Handled()
	}
}

// count updates the counts of messages and answers that are on their way, and takes over what a message brings. It returns the
// message for the step machine.
func (s *instance) count(msg any) any {
	switch m := msg.(type) {
	case *arrival.Start, *arrival.Deliver, *arrival.Result, *arrival.Query:
		s.carryover.Received++
		a := arrival.New(m, s.host.elapsed())
		s.owe(a)
		return a
	case *step.NudgeMsg, *step.PendingMsg, *step.TimerMsg, *step.RetryMsg, *step.WakeMsg, *step.Moved, *step.Freed:
		s.carryover.Received++
		return msg
	case *step.EvictMsg:
		s.place = nil
		if !s.evicting {
			return msg
		}
		s.evicting = false
		s.outstanding--
		return step.Late
	}
	s.outstanding--
	switch msg.(type) {
	case *unwoundMsg:
		s.unwinding--
		return step.Late
	case *view.Load, *step.MemoryMsg, *step.AdmitMsg:
		s.request = nil
	}
	switch m := msg.(type) {
	case *step.AcceptDueMsg:
		s.acceptTimer = nil
	case *step.TickMsg:
		for _, t := range []*ticker{&s.pausing, &s.later} {
			if t.tick == m {
				*t = ticker{}
			}
		}
	case *turn.Back:
		if s.running == m.Turn && !m.Abandoned { // an abandoned turn stays in its slot
			s.running = nil
		}
	case *turn.Asked:
		if s.asking == m.Query && !m.Abandoned {
			s.asking = nil
		}
	case *view.Load:
		s.charge += m.Taken
	case *step.MemoryMsg:
		s.charge += m.Bytes
	case *step.AdmitMsg:
		s.tryWait = nil
		if s.releaseSuspect != nil {
			m.Release()
			return step.Late
		}
		s.releaseSuspect = m.Release
	case *turn.Committed:
		if m.Result.Err == nil {
			failpoint.Hit("turn.afterSync")
		}
	}
	return msg
}

// slicesOfEffects has the slices of finished steps, to be used again.
var slicesOfEffects = sync.Pool{New: func() any { return new(step.Effects) }}

// step hands one message to the step machine and carries out the effects. It leaves last, after all other effects.
func (s *instance) step(msg any) {
	out := slicesOfEffects.Get().(*step.Effects)
	s.core.Step(s, msg, out)
	s.carryover.Open.Store(s.core.Open())
	refused, leaves := false, false
	s.effects = out
	for i := range *out {
		s.done = i
		switch e := &(*out)[i]; e.Kind {
		case step.EffectPark:
			refused = !s.park(int(e.Number))
		case step.EffectLeave:
			leaves = true
		default:
			s.do(e)
		}
	}
	s.effects = nil
	clear(*out)
	*out = (*out)[:0]
	slicesOfEffects.Put(out)
	s.watchAcceptTimer()
	if invariants.Enabled {
		s.verify()
	}
	switch {
	case refused:
		s.step(step.Evict)
	case leaves && s.outstanding == 0:
		s.leave()
	}
	if m, ok := msg.(*turn.Committed); ok && m.Result.Err == nil {
		s.failed = 0
	}
}

// leave asks the activator to take the instance from its table. The activator refuses if a message is on its way.
func (s *instance) leave() {
	s.leaving = true
	s.host.Engine.Idle(s.id, s.pid, s.carryover.Received)
	s.leaving = false
}

// watchAcceptTimer keeps one place in the queue of accept timers while the instance has an unproposed message.
func (s *instance) watchAcceptTimer() {
	since, held := s.core.OldestUnproposed()
	switch {
	case held && s.acceptTimer == nil:
		s.outstanding++
		s.acceptTimer = s.host.acceptTimers.add(s, since)
	case !held && s.acceptTimer != nil:
		s.withdrawAcceptTimer()
	}
}

func (s *instance) withdrawAcceptTimer() {
	if s.host.acceptTimers.withdraw(s.acceptTimer) {
		s.acceptTimer = nil
		s.outstanding--
	}
}

// Send puts an answer into the instance's queue. It may be called from any goroutine.
func (s *instance) Send(msg any) { s.host.System.Send(s.pid, msg) }

// SendLast is Send for a goroutine that does nothing after it.
func (s *instance) SendLast(msg any) { s.host.System.SendLast(s.pid, msg) }

// Evict implements Resident: it tells the instance to let its replay machine go. It may be called from any goroutine.
func (s *instance) Evict() { s.Send(step.Evict) }
