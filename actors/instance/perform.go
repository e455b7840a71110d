package instance

import (
	"fmt"
	"time"

	"github.com/turnstone-dev/turnstone/internal/failpoint"
	"github.com/turnstone-dev/turnstone/internal/logkey"
	"github.com/turnstone-dev/turnstone/persistence"
)

// do does one thing that a step wants done.
func (s *instance) do(e *effect) {
	if e.kind <= effectAskTry {
		s.outstanding++ // first: if what follows panics, an answer may come nevertheless
		s.ask(e)
		return
	}
	switch e.kind {
	case effectAnswer:
		s.answer(e.arrival, e.err, e.repeated)
	case effectAcknowledge:
		s.part.Acknowledge(e.acknowledgement)
	case effectDisarm:
		s.disarm(e.message.(*tickMsg))
	case effectLeaveTry:
		s.leaveTry()
	case effectUncharge:
		s.giveBack(s.charge)
	case effectReturn:
		s.giveBack(int64(e.number))
	case effectUnpark:
		s.unpark()
	case effectWatchLease:
		s.stopLease = s.part.WatchTurnLease(e.token, func() {})
	case effectEndCareful:
		s.endCareful()
	case effectGivingBack:
		s.part.GiveBackQuietly(persistence.Incarnation(e.number))
	case effectKeptLease:
		s.part.GiveBackRefused(persistence.Incarnation(e.number))
	case effectSetAside:
		s.host.setAside(s.id, e.err)
	case effectWhole:
		s.host.damaged.forget(s.id)
	default:
		panic(fmt.Sprintf("actors: an effect of the unknown kind %d", e.kind))
	}
}

// ask asks for something whose answer comes as a message.
func (s *instance) ask(e *effect) {
	switch e.kind {
	case effectAccept:
		a := e.arrival
		s.host.Engine.Propose(s.p, e.number, e.command, func(r persistence.Result) { s.send(&acceptMsg{a, r}) })
	case effectCommit:
		s.proposeCommit(e.turn)
	case effectPropose:
		m := e.message.(proposal)
		s.host.propose(s.p, e.command, func(r persistence.Result) {
			m.answered(r)
			s.send(m)
		})
	case effectLoad:
		s.load(e.message.(*loadMsg))
	case effectRun:
		s.run(e.turn)
	case effectUnwind:
		m := e.message
		s.host.unwind(e.machine, func() { s.send(m) })
	case effectArm:
		s.arm(e.message.(*tickMsg), e.wait)
	case effectAskMemory:
		m := e.message.(*memoryMsg)
		s.host.Memory.Ask(m.bytes, func() { s.send(m) })
		s.host.Engine.Relieve()
	case effectAskAdmission:
		s.part.AdmitSuspect(uint32(e.number), s.admission(e.message.(*admitMsg)))
	case effectAskTry:
		s.tryWait = s.host.tries.admit(s.admission(e.message.(*admitMsg)))
	}
}

// proposal is a message that brings the answer to a proposal.
type proposal interface{ answered(r persistence.Result) }

func (s *instance) admission(m *admitMsg) func(release func()) {
	return func(release func()) {
		m.release = release
		s.send(m)
	}
}

func (s *instance) proposeCommit(t *turn) {
	if t.commit.AcceptedStart != nil {
		failpoint.Hit("start.beforeCommit")
	}
	failpoint.Hit("turn.beforeCommit")
	t.owner = s
	s.host.propose(s.p, t.commit, t.proposed)
}

func (s *instance) load(m *loadMsg) {
	m.host, m.part, m.granted = s.host, s.part, s.charge
	s.host.Journal.Load(s.p, func(r persistence.Reader) error { return m.read(r, s.id) }, func(err error) {
		m.err = err
		s.send(m)
	})
}

// run hands a turn to a slot, or, if it runs no code, to a goroutine that needs none.
func (s *instance) run(t *turn) {
	t.owner, s.running = s, t
	if t.consumer == nil {
		s.host.Run.Run(t.Execute, t.giveBack)
		return
	}
	t.consumer.Turns.Run(t)
}

func (s *instance) arm(m *tickMsg, d time.Duration) {
	timer := s.host.Config.Clock.AfterFunc(d, func() { s.send(m) })
	switch m.kind {
	case tickPause:
		s.pausing = ticker{m, timer}
	case tickWake:
		s.later = ticker{m, timer}
	}
}

// disarm stops a clock. Its tick may be on its way nevertheless.
func (s *instance) disarm(m *tickMsg) {
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
	}
	s.tryWait = nil
}

// calledOff says whether an answer was called off that was on its way: else it comes although nothing waits for it.
func (s *instance) calledOff(ok bool) {
	if ok {
		s.outstanding--
	} else {
		s.overdue = true
	}
}

// giveBack gives back what the instance has taken of the memory.
func (s *instance) giveBack(bytes int64) {
	s.charge -= bytes
	s.host.Memory.Back(bytes)
}

// park takes a place among the residents, which takes over what the instance has of the memory. False: it may not stay.
func (s *instance) park(bytes int) bool {
	p, ok := s.host.Engine.Park(s, bytes, s.charge)
	if ok {
		s.place, s.charge = p, 0
	}
	return ok
}

// unpark gives the place up. If the instance has been told to leave it, the message is on its way.
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

// endCareful stops the renewal of the turn's lease, and lets the next suspect run.
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

// setAside logs what is damaged of an instance, once, and tells the calls that wait for its end. Nothing is committed on
// it, and every request to it is answered with the damage. Other instances go on.
func (h *Host) setAside(id string, err error) {
	if h.damaged.note(id, err) {
		h.Config.Logger.Error("an instance is damaged and set aside; verify the store, and restore it from a backup",
			logkey.Instance, id, logkey.Error, err)
	}
	h.Engine.Damaged(id, err)
}
