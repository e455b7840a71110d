package instance

import (
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/step"
	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/internal/failpoint"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
)

// do carries out one effect.
func (s *instance) do(e *step.Effect) {
	if e.Kind <= step.EffectAskTry {
		s.outstanding++ // before ask: if ask panics, the answer may come nevertheless
		s.ask(e)
		return
	}
	switch e.Kind {
	case step.EffectAnswer:
		s.answer(e.Arrival, e.Err, e.Repeated)
	case step.EffectAcknowledge:
		s.part.Acknowledge(e.Acknowledgement)
	case step.EffectDisarm:
		s.disarm(e.Message.(*step.TickMsg))
	case step.EffectLeaveTry:
		s.leaveTry()
	case step.EffectUncharge:
		s.giveBack(s.charge)
	case step.EffectReturn:
		s.giveBack(int64(e.Number))
	case step.EffectUnpark:
		s.unpark()
	case step.EffectWatchLease:
		s.stopLease = s.part.WatchTurnLease(e.Token, func() {})
	case step.EffectEndCareful:
		s.endCareful()
	case step.EffectGivingBack:
		s.part.GiveBackQuietly(persistence.Incarnation(e.Number))
	case step.EffectKeptLease:
		s.part.GiveBackRefused(persistence.Incarnation(e.Number))
	case step.EffectSetAside:
		s.host.setAside(s.id, e.Err)
	case step.EffectWhole:
		s.host.damaged.forget(s.id)
	default:
		panic(fmt.Sprintf("actors: an effect of the unknown kind %d", e.Kind))
	}
}

// ask makes a request whose answer comes as a message.
func (s *instance) ask(e *step.Effect) {
	switch e.Kind {
	case step.EffectAccept:
		a := e.Arrival
		if a.Start != nil { // its first turn takes long, so it is committed before the turn
			failpoint.Hit("start.beforeCommit")
		}
		s.host.Engine.Propose(s.p, e.Number, e.Command, func(r persistence.Result) { s.Send(&step.AcceptMsg{Arrival: a, Result: r}) })
	case step.EffectCommit:
		s.proposeCommit(e.Turn)
	case step.EffectPropose:
		m := e.Message.(proposal)
		s.host.propose(s.p, e.Command, func(r persistence.Result) {
			m.Answered(r)
			s.Send(m)
		})
	case step.EffectLoad:
		s.load(e.Message.(*view.Load))
	case step.EffectRun:
		s.run(e.Turn)
	case step.EffectQuery:
		s.query(e.Query)
	case step.EffectUnwind:
		m := e.Message
		s.host.unwind(e.Machine, func() { s.Send(m) })
	case step.EffectArm:
		s.arm(e.Message.(*step.TickMsg), e.Wait)
	case step.EffectAskMemory:
		s.askMemory(e.Message.(*step.MemoryMsg))
	case step.EffectAskAdmission:
		s.part.AdmitSuspect(uint32(e.Number), s.admission(e.Message.(*step.AdmitMsg)))
	case step.EffectAskTry:
		s.tryWait = s.host.tries.admit(s.admission(e.Message.(*step.AdmitMsg)))
	}
}

// proposal is a message that brings the answer to a proposal.
type proposal interface{ Answered(r persistence.Result) }

func (s *instance) admission(m *step.AdmitMsg) func(release func()) {
	r := s.newRequest()
	return func(release func()) {
		m.Release = release
		r.answer(func() { s.Send(m) }, release)
	}
}

// newRequest is the request that the present phase waits for.
func (s *instance) newRequest() *request {
	s.request = &request{}
	return s.request
}

func (s *instance) askMemory(m *step.MemoryMsg) {
	r := s.newRequest()
	s.host.Memory.Ask(m.Bytes, func() {
		r.answer(func() { s.Send(m) }, func() { s.host.Memory.Back(m.Bytes) })
	})
	s.host.Engine.Relieve()
}

func (s *instance) proposeCommit(t *turn.Turn) {
	if t.Commit.AcceptedStart != nil {
		failpoint.Hit("start.beforeCommit")
	}
	failpoint.Hit("turn.beforeCommit")
	t.Owner = s
	s.host.propose(s.p, t.Commit, t.Proposed)
}

func (s *instance) load(m *view.Load) {
	m.Source, m.Consumers, m.Granted = &s.host.source, s.part.Consumers(), s.charge
	r := s.newRequest()
	s.host.Journal.Load(s.p, func(r persistence.Reader) error { return m.Read(r, s.id) }, func(err error) {
		m.Err = err
		r.answer(func() { s.Send(m) }, func() { s.host.Memory.Back(m.Taken) })
	})
}

// run hands a turn to a slot, or to a goroutine without a slot if the turn runs no code.
func (s *instance) run(t *turn.Turn) {
	t.Owner, s.running, s.handing = s, t, true
	if t.Consumer == nil {
		s.host.Run.Run(t.Execute, t.GiveBack)
	} else {
		t.Consumer.Turns.Run(t)
	}
	s.handing = false
}

// query hands a query to a slot.
func (s *instance) query(q *turn.Query) {
	q.Owner, s.asking, s.handing = s, q, true
	q.Consumer.Turns.Run(q)
	s.handing = false
}

func (s *instance) arm(m *step.TickMsg, d time.Duration) {
	timer := s.host.Config.Clock.AfterFunc(d, func() { s.Send(m) })
	switch m.Kind {
	case step.TickPause:
		s.pausing = ticker{m, timer}
	case step.TickWake:
		s.later = ticker{m, timer}
	}
}

// disarm stops the timer of a tick. The tick may be on its way already.
func (s *instance) disarm(m *step.TickMsg) {
	for _, t := range []*ticker{&s.pausing, &s.later} {
		if m != nil && t.tick == m {
			s.calledOff(t.timer.Stop())
			*t = ticker{}
		}
	}
}

func (s *instance) leaveTry() {
	if s.tryWait != nil {
		s.calledOff(s.host.tries.withdraw(s.tryWait))
		s.request = nil
	}
	s.tryWait = nil
}

// calledOff updates the count after an attempt to call an answer off. ok: the answer does not come any more. If not ok, it comes
// although nothing waits for it.
func (s *instance) calledOff(ok bool) {
	if ok {
		s.outstanding--
	} else {
		s.overdue = true
	}
}

// giveBack gives bytes that the instance has taken back to the memory budget.
func (s *instance) giveBack(bytes int64) {
	s.charge -= bytes
	s.host.Memory.Back(bytes)
}

// park takes a place among the residents, which takes over the instance's part of the memory budget. It returns false if the
// instance may not stay.
func (s *instance) park(bytes int) bool {
	p, ok := s.host.Engine.Park(s, bytes, s.charge)
	if ok {
		s.place, s.charge = p, 0
	}
	return ok
}

// unpark gives the place up. If an eviction has taken it already, its message is on its way and is counted.
func (s *instance) unpark() {
	place := s.place
	if place == nil {
		return
	}
	s.place = nil
	if charge, ok := place.Leave(); ok {
		s.charge = charge
		return
	}
	s.evicting = true
	s.outstanding++
}

// endCareful stops the renewal of the turn lease, and lets the next suspect run.
func (s *instance) endCareful() {
	if stop := s.stopLease; stop != nil {
		s.stopLease = nil
		stop()
	}
	if release := s.releaseSuspect; release != nil {
		s.releaseSuspect = nil
		release()
	}
}

// setAside logs the damage of an instance, once, and fails the calls that wait for its end. A damaged instance commits nothing,
// and every request to it is answered with the damage. Other instances go on.
func (h *Host) setAside(id string, err error) {
	if h.damaged.note(id, err) {
		h.Config.Logger.Error("an instance is damaged and set aside; verify the store, and restore it from a backup",
			logkey.Instance, id, logkey.Error, err)
	}
	h.Engine.Damaged(id, err)
}
