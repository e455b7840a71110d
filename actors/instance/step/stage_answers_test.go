package step

import (
	"errors"
	"fmt"

	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/replay"
)

// failures are what an answer may say without the journal having looked at the command.
var failures = map[string]error{
	"busy": persistence.ErrBusy, "stopped": persistence.ErrStopped, "uncertain": persistence.ErrUncertain,
	"corrupt": persistence.ErrCorrupt, "input-output": errors.New("input/output error"),
	"conflict": &persistence.Refusal{Code: persistence.Conflict}, "fenced": &persistence.Refusal{Code: persistence.Fenced},
	"lease-lost": &persistence.Refusal{Code: persistence.LeaseLost}, "not-found": &persistence.Refusal{Code: persistence.NotFound},
	"limit": &persistence.Refusal{Code: persistence.Limit},
}

// answer has the machine take an answer.
func (s *stage) answer(msg any) string {
	s.last = msg
	return s.step(msg)
}

// again brings the last answer once more, as one that comes late. The actor keeps a second admission to itself.
func (s *stage) again(*line) string {
	msg := s.last
	if _, admission := msg.(*AdmitMsg); admission && s.suspect {
		msg = Late
	}
	return s.step(msg)
}

func (s *stage) accepted(l *line) string  { return s.agree(l, "accept") }
func (s *stage) committed(l *line) string { return s.agree(l, "commit") }
func (s *stage) leased(l *line) string    { return s.agree(l, "lease") }
func (s *stage) abandoned(l *line) string { return s.agree(l, "abandon") }
func (s *stage) released(l *line) string  { return s.agree(l, "release") }

// agree has the journal apply a proposal, which it must not refuse.
func (s *stage) agree(l *line, kind string) string {
	a := s.take(l, kind)
	r := s.apply(s.clock.wallMs, a.epoch, commandOf(a))
	if r.Err != nil {
		l.fail("the journal refuses: %v", r.Err)
	}
	if r.Repeated {
		s.outLine("(the journal: it repeats a request that was answered)")
	}
	return s.answer(resultMsg(a, r))
}

// refused has the journal refuse the first proposal, perhaps of a kind: for the reason that is said, or for the one that it
// has.
func (s *stage) refused(l *line) string {
	kinds, reason := proposals, ""
	for at := 0; ; at++ {
		word := l.word(at)
		if word == "" {
			break
		}
		if failures[word] != nil {
			reason = word
		} else {
			kinds = []string{word}
		}
	}
	a := s.take(l, kinds...)
	r := persistence.Result{Err: failures[reason]}
	if reason == "" {
		r = s.apply(s.clock.wallMs, a.epoch, commandOf(a))
		if r.Err == nil {
			l.fail("the journal does not refuse it")
		}
		s.outLine("(the journal: %v)", r.Err)
	}
	return s.answer(resultMsg(a, r))
}

func commandOf(a *ask) persistence.Command {
	if a.kind == "commit" {
		return a.effect.Turn.Commit
	}
	return a.effect.Command
}

// resultMsg is the message that brings the result of a proposal.
func resultMsg(a *ask, r persistence.Result) any {
	switch a.effect.Kind {
	case EffectAccept:
		return &AcceptMsg{Arrival: a.effect.Arrival, Result: r}
	case EffectCommit:
		t := a.effect.Turn
		t.Committed.Result = r
		return &t.Committed
	}
	m := a.effect.Message
	m.(interface{ Answered(persistence.Result) }).Answered(r)
	return m
}

// loaded brings what was read, or why it was not.
func (s *stage) loaded(l *line) string {
	m := s.take(l, "load").effect.Message.(*view.Load)
	if why := l.word(0); why != "" {
		if m.Err = failures[why]; m.Err == nil {
			l.fail("there is no failure %q", why)
		}
	} else {
		m.Err = m.Read(s.reader(), instanceID)
	}
	s.charge += m.Taken
	s.outLine("(read: %s)", loadText(m))
	return s.answer(m)
}

// granted gives the instance the memory that it waits for.
func (s *stage) granted(l *line) string {
	m := s.take(l, "memory").effect.Message.(*MemoryMsg)
	if !s.Take(m.Bytes) {
		l.fail("%d bytes are free, %d are asked for", s.memory, m.Bytes)
	}
	s.charge += m.Bytes
	return s.answer(m)
}

func (s *stage) admitted(l *line) string { return s.begin(s.take(l, "admission")) }
func (s *stage) tried(l *line) string    { return s.begin(s.take(l, "try")) }

func (s *stage) begin(a *ask) string {
	s.suspect = true
	return s.answer(a.effect.Message)
}

// ran runs the turn; with unrun its slot has been closed before, and with blocked its code does not come back.
func (s *stage) ran(l *line) string {
	t := s.take(l, "run").effect.Turn
	switch how := l.word(0); how {
	case "":
		t.Execute()
		s.outLine("(%s)", decisionText(t))
		return s.answer(&t.Back)
	case "unrun":
		t.NotRun = true
		return s.answer(&t.Back)
	case "blocked":
		return s.answer(&turn.Back{Turn: t, Abandoned: true})
	default:
		l.fail("it has no argument %q", how)
		return ""
	}
}

func decisionText(t *turn.Turn) string {
	switch {
	case t.Spoiled != nil:
		return "the turn is worthless"
	case t.Diverges():
		return "the code does not fit the history"
	}
	text, names := "", []string{"running", "completed", "failed", "continued as new"}
	for _, e := range t.Decision.Events {
		text += replay.KindName(e) + ", "
	}
	if n := len(t.Decision.Deferred); n > 0 {
		text += fmt.Sprintf("%d deferred, ", n)
	}
	return text + names[t.Decision.Outcome]
}

// unwound closes the coroutine that was to be.
func (s *stage) unwound(l *line) string {
	a := s.take(l, "unwind")
	s.host.CloseMachine(a.effect.Machine)
	return s.answer(a.effect.Message)
}

// tick lets the time pass until the first clock is due, and brings its tick.
func (s *stage) tick(l *line) string {
	a := s.take(l, "tick")
	s.clock.pass(max(0, a.due-s.clock.elapsed))
	return s.answer(a.effect.Message)
}
