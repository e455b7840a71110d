package step

import (
	"fmt"
	"strings"

	"github.com/turnstone-dev/turnstone/actors/instance/turn"
	"github.com/turnstone-dev/turnstone/actors/instance/view"
	"github.com/turnstone-dev/turnstone/internal/failure"
	"github.com/turnstone-dev/turnstone/persistence"
	"github.com/turnstone-dev/turnstone/persistence/persistencetest"

	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// journal is what is durable in a script: the model of one partition, in its first epoch.
type journal struct {
	model  *persistencetest.Model
	index  uint64
	spoilt bool // the history cannot be read
}

func homeOfAll(string) persistence.Partition { return 0 }

func newJournal() journal {
	j := journal{model: persistencetest.NewModel(0, 1, homeOfAll)}
	j.apply(startMs, 0, persistence.BeginEpoch{Epoch: 1, Node: "node", Process: "process"})
	return j
}

func (j *journal) apply(nowMs int64, epoch uint64, c persistence.Command) persistence.Result {
	j.index++
	return j.model.Apply(j.index, persistence.Proposal{TimeMs: nowMs, Epoch: epoch, Command: c}).Result
}

// head is the instance's, or an empty one.
func (j *journal) head() *persistence.Head {
	iid, _, _ := j.model.Resolve(instanceID)
	h, _, _ := j.model.Head(iid)
	return &h
}

// reader reads what is durable.
func (j *journal) reader() persistence.Reader {
	if j.spoilt {
		return spoiltReader{j.model}
	}
	return j.model
}

// spoiltReader cannot read a history.
type spoiltReader struct{ persistence.Reader }

// Parts implements persistence.Reader.
func (spoiltReader) Parts(persistence.Incarnation, uint64, uint64, func(persistence.StoredPart) bool) error {
	return fmt.Errorf("%w: part 1", persistence.ErrCorrupt)
}

// spoil makes the history unreadable.
func (s *stage) spoil(*line) string {
	s.spoilt = true
	return ""
}

// durable shows what the journal has of the instance.
func (s *stage) durable(*line) string {
	h := s.head()
	if h.IID == 0 {
		return "nothing\n"
	}
	s.outLine("%s, execution %d, %d turns, %d events", h.Status, h.Execution, h.Turn, h.HistoryEvents)
	page, _ := s.model.Inbox(h.IID, 0, 100, 0)
	for _, item := range page.Items {
		s.outLine("inbox %d%s", item.Seq, visible(item.NotBeforeMs))
	}
	if lease, ok, _ := s.model.TurnLease(h.IID); ok {
		s.outLine("%s", leaseText(&lease))
	}
	work, _ := s.model.ScanWork(persistence.WorkKey{}, 100)
	for _, w := range work {
		s.outLine("activity %s of event %d", w.Name, w.Key.Event)
	}
	timers, _ := s.model.ScanTimers(persistence.TimerKey{}, 100)
	for _, t := range timers {
		s.outLine("timer of event %d, due %s", t.Key.Event, instant(t.Key.FireAtMs))
	}
	return s.cut()
}

func visible(notBeforeMs int64) string {
	if notBeforeMs == 0 {
		return ""
	}
	return ", visible " + instant(notBeforeMs)
}

func leaseText(l *persistence.TurnLease) string {
	parts := []string{fmt.Sprintf("%d attempts", l.Attempts)}
	if l.Token != "" {
		parts = append(parts, "leased by "+l.Holder.Process)
	}
	if l.NotBeforeMs > 0 {
		parts = append(parts, "no turn before "+instant(l.NotBeforeMs))
	}
	if l.Held.Reason != "" {
		parts = append(parts, fmt.Sprintf("held by build %s after %d tries: %s", l.Held.Build, l.Held.Tries, oneLine(l.Held.Reason)))
	}
	return "lease row: " + strings.Join(parts, ", ")
}

// elsewhere has something become durable that this activation has not done.
func (s *stage) elsewhere(l *line) string {
	h, epoch := s.head(), s.epoch
	var c persistence.Command
	switch what := l.word(0); what {
	case "start":
		c = &persistence.StartInstance{ID: instanceID, Name: l.text("name", ""), Version: l.text("version", "")}
	case "event":
		return s.fillInbox(l)
	case "cancel":
		c = &persistence.Enqueue{ID: instanceID, Message: encoded(l, cancel(l))}
	case "result":
		c = &persistence.CompleteWork{
			Key:     persistence.WorkKey{IID: h.IID, Execution: h.Execution, Event: l.number("of", 0)},
			Message: encoded(l, result(l, h)),
		}
	case "epoch":
		epoch = 0
		c = persistence.BeginEpoch{Epoch: s.number() + 1, Node: "node", Process: l.text("process", "process")}
	case "lease":
		c = &persistence.LeaseTurn{
			IID: h.IID, Execution: h.Execution, Turn: h.Turn, TTLMs: l.length("for", s.host.Config.TurnLease).Milliseconds(),
			Holder: persistence.Holder{Node: "node", Process: l.text("process", "process")}, Nonce: 99,
		}
	case "release":
		c = &persistence.ReleaseTurn{ID: instanceID}
	case "turn", "terminate":
		c = s.turnElsewhere(l, what == "terminate")
	default:
		l.fail("nothing of the kind %q can be done elsewhere", what)
	}
	if r := s.apply(s.clock.wallMs, epoch, c); r.Err != nil {
		l.fail("the journal refuses: %v", r.Err)
	}
	return ""
}

// number is that of the present epoch of the journal.
func (j *journal) number() uint64 {
	p, _ := j.model.Partition()
	return p.Epoch
}

// fillInbox puts events into the inbox.
func (s *stage) fillInbox(l *line) string {
	m := event(&line{t: l.t, data: l.data, used: l.used})
	m.GetEventRaised().Name = l.text("name", "go")
	topic := persistence.TopicOf(uint8(turnpb.ArrivalKind_ARRIVAL_KIND_EVENT), m.GetEventRaised().GetName())
	for range l.number("count", 1) {
		r := s.apply(s.clock.wallMs, s.epoch, &persistence.Enqueue{ID: instanceID, Message: encoded(l, m), Topic: topic})
		if r.Err != nil {
			l.fail("the journal refuses: %v", r.Err)
		}
	}
	return ""
}

// turnElsewhere is a turn that ends the instance without its code, as a termination does, or one that records nothing, as
// another activation could.
func (s *stage) turnElsewhere(l *line, ends bool) persistence.Command {
	h := s.head()
	m := &view.Load{Inbox: view.InboxRead{Limit: 100}, Source: s.source(), Whole: true}
	if err := m.Read(s.model, instanceID); err != nil {
		l.fail("%v", err)
	}
	t := &turn.Turn{Host: s.host, Head: turn.HeadOf(instanceID, h), Name: h.Name, Version: h.Version, Fresh: true, History: m.View.History}
	t.ForcedEnd = &turn.ForcedEnd{Why: failure.Terminated(l.text("reason", "")), Origin: turnpb.SegmentOrigin_SEGMENT_ORIGIN_TERMINATE}
	t.EndUnread(&m.View, "", s.clock.wallMs, [16]byte{})
	c := t.Commit
	if ends {
		return &persistence.Terminate{
			ID: instanceID, IID: h.IID, Execution: c.Execution, Turn: c.Turn, Segment: c.Segment, Name: h.Name, Version: h.Version,
		}
	}
	c.IID, c.Outcome, c.ConsumesStart = h.IID, persistence.OutcomeRunning, c.Turn == 0
	c.Segment.Parts = []persistence.SegmentPart{{FirstEvent: h.NextEvent}}
	return c
}
