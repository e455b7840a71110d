package replay

import (
	"fmt"
	"hash/fnv"

	"google.golang.org/protobuf/proto"

	"github.com/turnstone-dev/turnstone/internal/failure"
	turnpb "github.com/turnstone-dev/turnstone/proto"
)

// The field numbers of a message's kinds, as RejectedMessage names them.
const (
	kindStart           = 10
	kindActivityResult  = 11
	kindActivityFailure = 12
	kindTimerElapsed    = 13
	kindEventRaised     = 14
	kindQueueMessage    = 15
	kindChildResult     = 16
	kindChildFailure    = 17
	kindCancel          = 18
	kindSendEnded       = 30
	kindAwaitEnded      = 31
)

// consume takes the messages one by one, in order, the start first: it makes an event of each, applies it and lets code
// run. A message that is a duplicate, belongs to another execution or comes too late is rejected; one that answers what
// was never asked fails the turn, before any code runs. An event or queue message that cannot be held now is deferred.
//
// No wait opens here, since what code asks for is bound only when all messages have been taken. So a name that had to be
// deferred stays so until the turn ends.
func (m *Machine) consume(messages []*turnpb.Message) {
	at := m.startAmong(messages)
	refused := m.judge(messages, at)
	if at >= 0 {
		m.convertStart(messages[at].GetStart())
	}
	for i, msg := range messages {
		switch {
		case i == at:
		case len(refused) > 0 && refused[0] == i:
			refused = refused[1:]
			m.reject(msg)
		case m.mustWait(msg):
			m.d.Deferred = append(m.d.Deferred, i)
		default:
			m.takeEvent(m.eventOf(msg))
		}
	}
	m.d.Converted = len(m.d.Events)
}

// startAmong is the position of the message that starts the execution; -1 if it has started. An execution that neither
// has started nor starts now is corrupted.
func (m *Machine) startAmong(messages []*turnpb.Message) int {
	if m.started != nil || m.replayed > 0 {
		return -1
	}
	for i, msg := range messages {
		if msg.GetStart() != nil {
			return i
		}
	}
	m.failTurn(failure.Nondeterminism("history", "corrupted history: history is empty and no start is among the messages"))
	return -1
}

// judge lists which messages become no event. It fails the turn for one that answers what was never asked.
func (m *Machine) judge(messages []*turnpb.Message, start int) (refused []int) {
	cancelled := m.cancelled != nil || m.cleanup != nil
	for i, msg := range messages {
		if i == start {
			continue
		}
		ok := false
		switch msg.GetKind().(type) {
		case *turnpb.Message_ActivityResult:
			ok = m.expects(msg, opActivity, "ActivityCompleted")
		case *turnpb.Message_ActivityFailure:
			ok = m.expects(msg, opActivity, "ActivityFailed")
		case *turnpb.Message_TimerElapsed:
			ok = m.expects(msg, opTimer, "TimerFired")
		case *turnpb.Message_ChildResult:
			ok = m.expects(msg, opChild, "SubOrchestrationCompleted")
		case *turnpb.Message_ChildFailure:
			ok = m.expects(msg, opChild, "SubOrchestrationFailed")
		case *turnpb.Message_SendEnded:
			ok = m.expects(msg, opSend, "SendEnded")
		case *turnpb.Message_AwaitEnded:
			ok = m.expects(msg, opAwait, "AwaitEnded")
		case *turnpb.Message_EventRaised, *turnpb.Message_QueueMessage:
			ok = true
		case *turnpb.Message_Cancel:
			ok, cancelled = !cancelled, true
		}
		if !ok {
			refused = append(refused, i)
		}
	}
	return refused
}

func (m *Machine) convertStart(s *turnpb.StartOrchestration) {
	version := m.cfg.Version
	if version == "" {
		version = s.GetVersion()
	}
	e := newStarted(m.takeID(), version, s)
	m.started = e.GetStarted()
	m.takeEvent(e)
	for _, c := range s.GetCarried() {
		if c.GetKind() == turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE {
			m.takeEvent(newQueueEvent(m.takeID(), c.GetName(), c.GetData()))
		} else {
			m.takeEvent(newExternalEvent(m.takeID(), c.GetName(), c.GetData()))
		}
	}
}

func (m *Machine) takeID() uint64 {
	id := m.nextID
	m.nextID++
	return id
}

// eventOf makes the event of a message.
func (m *Machine) eventOf(msg *turnpb.Message) *turnpb.Event {
	id, source := m.takeID(), msg.GetEvent()
	switch k := msg.GetKind().(type) {
	case *turnpb.Message_ActivityResult:
		return newActivityCompleted(id, source, k.ActivityResult.GetResult())
	case *turnpb.Message_ActivityFailure:
		return &turnpb.Event{Id: id, Source: source, Kind: &turnpb.Event_ActivityFailed{
			ActivityFailed: &turnpb.ActivityFailed{Failure: k.ActivityFailure.GetFailure(),
				Timeout: k.ActivityFailure.GetTimeout(), LastHeartbeat: k.ActivityFailure.LastHeartbeat}}}
	case *turnpb.Message_TimerElapsed:
		return newTimerFired(id, source, k.TimerElapsed.GetFireAtMs())
	case *turnpb.Message_ChildResult:
		return &turnpb.Event{Id: id, Source: source, Kind: &turnpb.Event_SubOrchestrationCompleted{
			SubOrchestrationCompleted: &turnpb.SubOrchestrationCompleted{Result: k.ChildResult.GetResult()}}}
	case *turnpb.Message_ChildFailure:
		return &turnpb.Event{Id: id, Source: source, Kind: &turnpb.Event_SubOrchestrationFailed{
			SubOrchestrationFailed: &turnpb.SubOrchestrationFailed{Failure: k.ChildFailure.GetFailure()}}}
	case *turnpb.Message_SendEnded:
		return &turnpb.Event{Id: id, Source: source, Kind: &turnpb.Event_SendEnded{SendEnded: k.SendEnded}}
	case *turnpb.Message_AwaitEnded:
		return &turnpb.Event{Id: id, Source: source, Kind: &turnpb.Event_AwaitEnded{AwaitEnded: k.AwaitEnded}}
	case *turnpb.Message_EventRaised:
		return newExternalEvent(id, k.EventRaised.GetName(), k.EventRaised.GetData())
	case *turnpb.Message_QueueMessage:
		return newQueueEvent(id, k.QueueMessage.GetName(), k.QueueMessage.GetData())
	default:
		return &turnpb.Event{Id: id, Kind: &turnpb.Event_CancelRequested{
			CancelRequested: &turnpb.OrchestrationCancelRequested{Reason: msg.GetCancel().GetReason()}}}
	}
}

// takeEvent adds the event that a message became, applies it and lets code run. In a turn that has failed nothing is
// applied any more.
func (m *Machine) takeEvent(e *turnpb.Event) {
	m.d.Events = append(m.d.Events, e)
	if m.fatal != nil && !m.mayCompensate() || m.spoiled.Load() != nil {
		m.holdUnapplied(e)
		return
	}
	if why := m.apply(e); why != nil {
		m.failTurn(why)
		return
	}
	m.replaying = false
	m.poll()
}

// expects reports whether a completion may become an event. It takes note of it, so that the next one for the same
// operation is a duplicate, whatever its kind.
func (m *Machine) expects(msg *turnpb.Message, kind opKind, name string) bool {
	source := msg.GetEvent()
	if msg.GetExecution() != m.cfg.Execution || source == 0 {
		return false
	}
	k := m.ledger.get(source)
	if k.kind() != kind && m.ending() != endNot && m.waiting() {
		return false // how the execution ends is decided, and only children are waited for
	}
	switch {
	case k.kind() == 0 || k.kind() >= opDetached:
		m.orphan(name, fmt.Sprintf(
			"a message brings %s for event %d, but history has no such schedule event (no matching schedule)", name, source))
		return false
	case k.kind() != kind:
		m.orphan(name, fmt.Sprintf(
			"completion kind mismatch: a message brings %s for event %d, which history has as %s", name, source, scheduleName(k.kind())))
		return false
	case k&markClosed != 0:
		return false
	}
	m.ledger.add(source, markClosed)
	if kind == opChild {
		m.d.ClosedChildren = append(m.d.ClosedChildren, source)
	}
	return true
}

// orphan takes note of a completion that history never asked for.
func (m *Machine) orphan(name, text string) {
	if m.cfg.RejectOrphans || m.codeless {
		m.d.Orphans = append(m.d.Orphans, text)
		return
	}
	m.failTurn(failure.Nondeterminism(name, text))
}

// reject records that a message was consumed and left no event.
func (m *Machine) reject(msg *turnpb.Message) {
	r := &turnpb.RejectedMessage{Kind: kindNumber(msg), Source: msg.GetEvent()}
	switch r.Kind {
	case kindActivityResult, kindActivityFailure, kindTimerElapsed, kindChildResult, kindChildFailure, kindSendEnded,
		kindAwaitEnded:
		if msg.GetExecution() != m.cfg.Execution {
			// A stranger: its event id belongs to another execution, so it would say something false here.
			r.Source = 0
		}
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(msg)
	if err == nil {
		h := fnv.New64a()
		h.Write(b)
		r.Hash = h.Sum64()
	}
	m.d.Rejected = append(m.d.Rejected, r)
}

func (m *Machine) rejectAll(messages []*turnpb.Message) {
	for _, msg := range messages {
		m.reject(msg)
	}
}

func kindNumber(msg *turnpb.Message) uint32 {
	switch msg.GetKind().(type) {
	case *turnpb.Message_Start:
		return kindStart
	case *turnpb.Message_ActivityResult:
		return kindActivityResult
	case *turnpb.Message_ActivityFailure:
		return kindActivityFailure
	case *turnpb.Message_TimerElapsed:
		return kindTimerElapsed
	case *turnpb.Message_EventRaised:
		return kindEventRaised
	case *turnpb.Message_QueueMessage:
		return kindQueueMessage
	case *turnpb.Message_ChildResult:
		return kindChildResult
	case *turnpb.Message_ChildFailure:
		return kindChildFailure
	case *turnpb.Message_Cancel:
		return kindCancel
	case *turnpb.Message_SendEnded:
		return kindSendEnded
	case *turnpb.Message_AwaitEnded:
		return kindAwaitEnded
	default:
		return 0
	}
}
