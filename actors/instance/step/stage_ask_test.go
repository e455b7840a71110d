package step

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/persistence"
)

// ask is something that the machine has asked for and that the script has not answered yet.
type ask struct {
	kind   string
	effect Effect
	epoch  uint64
	sent   bool          // its answer is on its way, and cannot be called off
	due    time.Duration // of a clock: elapsed time
}

// proposals are the kinds that the journal answers.
var proposals = []string{"accept", "commit", "lease", "abandon", "release"}

// find is the first of a kind; nil if there is none.
func (s *stage) find(kinds ...string) *ask {
	for _, a := range s.asks {
		if slices.Contains(kinds, a.kind) {
			return a
		}
	}
	return nil
}

// take takes out the first of some kinds, whose answer comes now.
func (s *stage) take(l *line, kinds ...string) *ask {
	l.t.Helper()
	if s.activation == nil {
		l.fail("the instance is not in memory")
	}
	a := s.find(kinds...)
	if a == nil {
		l.fail("no %s is outstanding, but %s", strings.Join(kinds, ", "), s.waitsFor())
	}
	s.drop(a)
	s.outstanding--
	return a
}

func (s *stage) drop(a *ask) {
	s.asks = slices.DeleteFunc(s.asks, func(other *ask) bool { return other == a })
}

// waitsFor names what is outstanding.
func (s *stage) waitsFor() string {
	var names []string
	for _, a := range s.asks {
		names = append(names, a.kind)
	}
	if s.acceptTimer {
		names = append(names, "the accept timer")
	}
	if s.evicting {
		names = append(names, "an eviction")
	}
	return fmt.Sprintf("%q", names)
}

// do does one thing that the machine wants done, and shows it. What changes nothing now is not shown.
func (s *stage) do(e *Effect) {
	if e.Kind <= EffectAskTry {
		s.outstanding++
		a := &ask{kind: kindOf(e), effect: *e, epoch: s.epoch, due: s.clock.elapsed + e.Wait}
		if e.Kind == EffectAccept {
			a.epoch = e.Number
		}
		if m, ok := e.Message.(*view.Load); ok {
			m.Source, m.Consumers, m.Granted = s.source(), s.consumers, s.charge
		}
		s.asks = append(s.asks, a)
		s.outLine("  %s", s.text(e))
		return
	}
	if text := s.text(e); text != "" {
		s.outLine("  %s", text)
	}
	switch e.Kind {
	case EffectDisarm:
		for _, a := range s.asks {
			if a.effect.Kind == EffectArm && a.effect.Message == e.Message {
				s.callOff(a)
				return
			}
		}
	case EffectLeaveTry:
		s.callOff(s.find("try"))
	case EffectUncharge:
		s.giveBack(s.charge)
	case EffectReturn:
		s.giveBack(int64(e.Number))
	case EffectUnpark:
		s.unpark()
	case EffectEndCareful:
		s.suspect = false
	case EffectSetAside:
		s.setAside = true
	case EffectWhole:
		s.setAside = false
	}
}

// unpark gives the place up. If the instance has been told to leave it, the message is on its way.
func (s *stage) unpark() {
	switch {
	case !s.place:
		return
	case s.evictSent:
		s.evictSent, s.evicting = false, true
		s.outstanding++
		s.Back(s.placeCharge)
	default:
		s.charge = s.placeCharge
	}
	s.place, s.placeCharge = false, 0
}

// callOff ends the wait for an answer, unless that is on its way already: then it comes although nothing waits for it.
func (s *stage) callOff(a *ask) {
	switch {
	case a == nil:
	case a.sent:
		s.overdue = true
	default:
		s.drop(a)
		s.outstanding--
	}
}

func (s *stage) giveBack(bytes int64) {
	s.charge -= bytes
	s.Back(bytes)
}

// markSent says that an answer is on its way: it cannot be called off any more.
func (s *stage) markSent(l *line) string {
	if s.activation == nil {
		l.fail("the instance is not in memory")
	}
	switch what := l.word(0); what {
	case "evict":
		if !s.place {
			l.fail("the instance has no place that it could be told to leave")
		}
		s.evictSent = true
	case "accept-due":
		if !s.acceptTimer {
			l.fail("the accept timer does not run")
		}
		s.acceptSent = true
	default:
		a := s.find(what)
		if a == nil {
			l.fail("no %s is outstanding, but %s", what, s.waitsFor())
		}
		a.sent = true
	}
	return ""
}

// kindOf is the name under which a script answers an effect.
func kindOf(e *Effect) string {
	switch e.Kind {
	case EffectAccept:
		return "accept"
	case EffectCommit:
		return "commit"
	case EffectLoad:
		return "load"
	case EffectRun:
		return "run"
	case EffectQuery:
		return "query"
	case EffectUnwind:
		return "unwind"
	case EffectAskMemory:
		return "memory"
	case EffectAskAdmission:
		return "admission"
	case EffectAskTry:
		return "try"
	case EffectArm:
		return "tick"
	case EffectPropose:
		switch e.Command.(type) {
		case *persistence.LeaseTurn:
			return "lease"
		case *persistence.AbandonTurn:
			return "abandon"
		case *persistence.ReleaseTurn:
			return "release"
		}
	}
	panic(fmt.Sprintf("an effect of the kind %d with the command %T", e.Kind, e.Command))
}
