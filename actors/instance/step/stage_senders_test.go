package step

import (
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/actors/consumer"
	"github.com/turnstone-dev/turnstone/actors/instance/arrival"
	"github.com/turnstone-dev/turnstone/dispatch"
	"github.com/turnstone-dev/turnstone/persistence"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// bring brings what a sender sends.
func (s *stage) bring(msg any) string { return s.counted(arrival.New(msg, s.clock.elapsed)) }

func (s *stage) bringStart(l *line) string {
	return s.bring(arrival.NewStart(arrival.StartRequest{
		ID: instanceID, Name: l.word(0), Version: l.text("version", ""), Input: []byte(l.text("input", "")), RequestKey: l.text("key", ""),
	}, nil))
}

func (s *stage) bringEvent(l *line) string { return s.deliver(l, event(l)) }

func event(l *line) *turnpb.Message {
	data := l.text("data", "")
	if n := l.number("bytes", 0); n > 0 {
		data = strings.Repeat("x", int(n))
	}
	return &turnpb.Message{Kind: &turnpb.Message_EventRaised{EventRaised: &turnpb.EventRaised{Name: l.word(0), Data: []byte(data)}}}
}

func (s *stage) bringCancel(l *line) string { return s.deliver(l, cancel(l)) }

func cancel(l *line) *turnpb.Message {
	return &turnpb.Message{Kind: &turnpb.Message_Cancel{Cancel: &turnpb.CancelInstance{Reason: l.text("reason", "")}}}
}

func (s *stage) deliver(l *line, m *turnpb.Message) string {
	d := &arrival.Delivery{ID: instanceID, Message: m, RequestKey: l.text("key", "")}
	return s.bring(arrival.NewDeliver(d, encoded(l, m), nil))
}

func encoded(l *line, m *turnpb.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		l.fail("%v", err)
	}
	return b
}

// bringResult brings the result of the activity that an event has scheduled, from a slot of this process.
func (s *stage) bringResult(l *line) string {
	m := result(l, s.head())
	return s.bring(arrival.NewResult(consumer.Result{
		Key:   persistence.WorkKey{IID: s.head().IID, Execution: m.Execution, Event: m.Event},
		Epoch: s.epoch, Message: m, Encoded: encoded(l, m),
	}))
}

func result(l *line, h *persistence.Head) *turnpb.Message {
	return &turnpb.Message{
		Execution: l.number("execution", h.Execution), Event: l.number("of", 0),
		Kind: &turnpb.Message_ActivityResult{ActivityResult: &turnpb.ActivityResult{Result: []byte(l.text("value", ""))}},
	}
}

// tell brings what the dispatcher tells.
func (s *stage) tell(l *line, a *dispatch.Action) string {
	s.tells++
	a.IID = persistence.Incarnation(l.number("iid", uint64(s.head().IID)))
	a.Seq = l.number("seq", 0)
	a.Number, a.Unacked = l.number("number", s.tells), l.number("unacked", 0)
	a.Again, a.Fresh = l.flag("again"), l.number("fresh", 0)
	s.tells = max(s.tells, a.Number)
	return s.counted(NewTold(a))
}

func (s *stage) bringNudge(l *line) string {
	return s.tell(l, &dispatch.Action{Kind: dispatch.TellNudge})
}

func (s *stage) bringRetry(l *line) string {
	return s.tell(l, &dispatch.Action{Kind: dispatch.TellRetry})
}

func (s *stage) bringPending(l *line) string {
	h := s.head()
	return s.tell(l, &dispatch.Action{Kind: dispatch.TellStart, Start: &persistence.StartEffect{
		ID: instanceID, IID: h.IID, Execution: l.number("execution", h.Execution), Name: h.Name, Version: h.Version,
	}})
}

// bringTimer tells of the timer that an event has made. The journal knows when it is due, unless the script says it.
func (s *stage) bringTimer(l *line) string {
	h := s.head()
	key := persistence.TimerKey{
		IID: h.IID, Execution: l.number("execution", h.Execution), Event: l.number("of", 0), FireAtMs: startMs + l.length("at", 0).Milliseconds(),
	}
	timers, _ := s.model.ScanTimers(persistence.TimerKey{}, 100)
	for _, t := range timers {
		if t.Key.Event == key.Event && t.Key.Execution == key.Execution {
			key = t.Key
		}
	}
	return s.tell(l, &dispatch.Action{Kind: dispatch.TimerDue, Timer: key})
}

func (s *stage) bringWake(*line) string  { return s.counted(Wake) }
func (s *stage) bringFreed(*line) string { return s.counted(&Freed{}) }
func (s *stage) bringMoved(*line) string { return s.counted(&Moved{}) }

// bringEvict brings the message of the residency.
func (s *stage) bringEvict(l *line) string {
	switch {
	case s.activation == nil:
		l.fail("the instance is not in memory")
	case s.evicting:
		s.evicting = false
		s.outstanding--
		return s.step(Late)
	case !s.place:
		l.fail("the instance has no place that it could be told to leave")
	}
	s.Back(s.placeCharge)
	s.place, s.evictSent, s.placeCharge = false, false, 0
	return s.step(Evict)
}

// bringAcceptDue lets the time pass until the accept timer is due, and brings its tick.
func (s *stage) bringAcceptDue(l *line) string {
	if s.activation == nil || !s.acceptTimer {
		l.fail("the accept timer does not run")
	}
	if since, held := s.core.OldestUnproposed(); held {
		s.clock.pass(max(0, since+AcceptAfter-s.clock.elapsed))
	}
	s.acceptTimer, s.acceptSent = false, false
	s.outstanding--
	return s.step(AcceptDue)
}
