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
)

// convert makes events of messages, in order, the start first. A message that is a duplicate, belongs to another
// execution or comes too late is rejected; one that answers what was never asked fails the turn.
func (m *Machine) convert(messages []*turnpb.Message) {
	at := -1
	if m.started == nil && m.replayed == 0 {
		for i, msg := range messages {
			if msg.GetStart() != nil {
				at = i
				m.convertStart(msg.GetStart())
				break
			}
		}
		if at < 0 {
			m.failTurn(failure.Nondeterminism("history", "corrupted history: history is empty and no start is among the messages"))
		}
	}
	for i, msg := range messages {
		if i == at {
			continue
		}
		if !m.convertOne(msg) {
			m.reject(msg)
		}
	}
}

func (m *Machine) convertStart(s *turnpb.StartOrchestration) {
	version := m.cfg.Version
	if version == "" {
		version = s.GetVersion()
	}
	e := newStarted(m.takeID(), version, s)
	m.started = e.GetStarted()
	m.d.Events = append(m.d.Events, e)
	for _, c := range s.GetCarried() {
		if c.GetKind() == turnpb.ArrivalKind_ARRIVAL_KIND_QUEUE {
			m.d.Events = append(m.d.Events, newQueueEvent(m.takeID(), c.GetName(), c.GetData()))
		} else {
			m.d.Events = append(m.d.Events, newExternalEvent(m.takeID(), c.GetName(), c.GetData()))
		}
	}
}

func (m *Machine) takeID() uint64 {
	id := m.nextID
	m.nextID++
	return id
}

// convertOne makes the event of one message and says whether it did.
func (m *Machine) convertOne(msg *turnpb.Message) bool {
	var e *turnpb.Event
	source := msg.GetEvent()
	switch k := msg.GetKind().(type) {
	case *turnpb.Message_ActivityResult:
		if m.expects(msg, opActivity, "ActivityCompleted") {
			e = newActivityCompleted(m.takeID(), source, k.ActivityResult.GetResult())
		}
	case *turnpb.Message_ActivityFailure:
		if m.expects(msg, opActivity, "ActivityFailed") {
			e = &turnpb.Event{Id: m.takeID(), Source: source, Kind: &turnpb.Event_ActivityFailed{
				ActivityFailed: &turnpb.ActivityFailed{Failure: k.ActivityFailure.GetFailure()}}}
		}
	case *turnpb.Message_TimerElapsed:
		if m.expects(msg, opTimer, "TimerFired") {
			e = newTimerFired(m.takeID(), source, k.TimerElapsed.GetFireAtMs())
		}
	case *turnpb.Message_ChildResult:
		if m.expects(msg, opChild, "SubOrchestrationCompleted") {
			e = &turnpb.Event{Id: m.takeID(), Source: source, Kind: &turnpb.Event_SubOrchestrationCompleted{
				SubOrchestrationCompleted: &turnpb.SubOrchestrationCompleted{Result: k.ChildResult.GetResult()}}}
		}
	case *turnpb.Message_ChildFailure:
		if m.expects(msg, opChild, "SubOrchestrationFailed") {
			e = &turnpb.Event{Id: m.takeID(), Source: source, Kind: &turnpb.Event_SubOrchestrationFailed{
				SubOrchestrationFailed: &turnpb.SubOrchestrationFailed{Failure: k.ChildFailure.GetFailure()}}}
		}
	case *turnpb.Message_EventRaised:
		e = newExternalEvent(m.takeID(), k.EventRaised.GetName(), k.EventRaised.GetData())
	case *turnpb.Message_QueueMessage:
		e = newQueueEvent(m.takeID(), k.QueueMessage.GetName(), k.QueueMessage.GetData())
	case *turnpb.Message_Cancel:
		if m.cancelled == nil && !m.cancelling() {
			e = &turnpb.Event{Id: m.takeID(), Kind: &turnpb.Event_CancelRequested{
				CancelRequested: &turnpb.OrchestrationCancelRequested{Reason: k.Cancel.GetReason()}}}
		}
	}
	if e == nil {
		return false
	}
	m.d.Events = append(m.d.Events, e)
	return true
}

// cancelling says whether this turn has already converted a cancel.
func (m *Machine) cancelling() bool {
	for _, e := range m.d.Events {
		if e.GetCancelRequested() != nil {
			return true
		}
	}
	return false
}

// expects says whether a completion may become an event. It takes note of it, so that the next one for the same
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
		m.failTurn(failure.Nondeterminism(name, fmt.Sprintf(
			"a message brings %s for event %d, but history has no such schedule event (no matching schedule)", name, source)))
		return false
	case k.kind() != kind:
		m.failTurn(failure.Nondeterminism(name, fmt.Sprintf(
			"completion kind mismatch: a message brings %s for event %d, which history has as %s", name, source, scheduleName(k.kind()))))
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

// reject records that a message was consumed and left no event.
func (m *Machine) reject(msg *turnpb.Message) {
	r := &turnpb.RejectedMessage{Kind: kindNumber(msg), Source: msg.GetEvent()}
	switch r.Kind {
	case kindActivityResult, kindActivityFailure, kindTimerElapsed, kindChildResult, kindChildFailure:
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
	default:
		return 0
	}
}
